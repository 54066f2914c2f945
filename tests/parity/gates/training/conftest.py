"""A small network, trained officially once."""

import pytest

from parity.faults.training.bench import TrainingBench

# As a plugin, it loses the gradient on its way through the second convolution with a kernel of 7x7 pixels of a branch.
STOPPED = """
import pnasnet_torch.cell
from pnasnet_torch.operations import SeparableConv2d

class Stopped(SeparableConv2d):
    def forward(self, x):
        return super().forward(x.detach() + 0 * x)

made = pnasnet_torch.cell._add_separable
def planted(branch, kernel, channels, filters, stride, bounded):
    made(branch, kernel, channels, filters, stride, bounded)
    if kernel == 7:
        branch.get_submodule("separable_7x7_2").__class__ = Stopped
pnasnet_torch.cell._add_separable = planted
"""


@pytest.fixture(scope="session")
def bench() -> TrainingBench:
    return TrainingBench()
