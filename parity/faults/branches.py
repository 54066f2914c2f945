"""Faults of a cell's branches: of their sums, and of the output that concatenates these. Tensors are (N, C, H, W)."""

import torch

from parity.faults.fault import Fault, below
from parity.faults.plant import Plant, part, replaced_by, rewire
from pnasnet_torch import PNASNet
from pnasnet_torch.operations import DropPath

ADD = r".*\.add"


def _with_outputs(*outputs: int) -> Plant:
    """Return a plant that makes a cell concatenate these states."""
    return lambda model, site: rewire(model, site, outputs=outputs)


def _drop_path(model: PNASNet, site: str) -> None:
    """Put drop path in training mode. It keeps all but one example in a thousand, and scales the branch up."""
    # Of the last of 5 cells and, without a step, at the end of its schedule: all of keep_prob applies.
    drop_path = DropPath(keep_prob=0.999, depth=4, num_cells=5, total_steps=1)
    part(model, f"{site}.comb_iter_1").drop_path["left"] = drop_path.train()


BRANCHES = (
    Fault("right branch dropped", lambda p: p.layers(ADD), replaced_by(lambda left, right: left)),
    Fault("left branch dropped", lambda p: p.layers(ADD), replaced_by(lambda left, right: right)),
    Fault("difference for sum", lambda p: p.layers(ADD), replaced_by(lambda left, right: left - right)),
    Fault("mean for sum", lambda p: p.layers(ADD), replaced_by(lambda left, right: (left + right) / 2)),
    # Reversed by the layer itself: an operation. The next three give it other parts: wiring.
    Fault(
        "concatenated in reverse",
        lambda p: p.layers(r".*\.cell_output\.concat"),
        replaced_by(lambda *parts: torch.cat(parts[::-1], 1)),
    ),
    Fault(
        "last two parts exchanged",
        lambda p: p.cells(),
        _with_outputs(2, 3, 4, 6, 5),
        kind="wiring",
        at=below("cell_output.concat"),
    ),
    Fault(
        "a part concatenated twice",
        lambda p: p.cells(),
        _with_outputs(2, 3, 4, 5, 5),
        kind="wiring",
        at=below("cell_output.concat"),
    ),
    Fault(
        "a part left out",
        lambda p: p.cells(),
        _with_outputs(2, 3, 4, 5),
        kind="wiring",
        at=below("cell_output.concat"),
    ),
    Fault(
        "drop path active",
        lambda p: p.cells(),
        _drop_path,
        kind="wiring",
        at=below("comb_iter_1.combine.add"),
    ),
)
