"""The synthetic Mobile checkpoint as the port has it, and runs of the command."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from parity.convert.__main__ import PROG, main
from parity.core import command
from pnasnet_torch.source import Weights, read_weights

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def weights(synthetic: Path) -> Weights:
    """What the synthetic Mobile checkpoint holds."""
    return read_weights(synthetic)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command's exit code, and what it wrote to both outputs."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        """Run the command with these arguments."""
        code = command.run(main, PROG, [*map(str, arguments)])
        return (code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def bits() -> Callable[[Mapping[str, np.ndarray]], dict[str, tuple[str, tuple[int, ...], bytes]]]:
    """What has to be the same of each array: its dtype, its shape and its bytes, in which -0.0 is not 0.0."""
    return lambda state: {name: (str(array.dtype), array.shape, array.tobytes()) for name, array in state.items()}
