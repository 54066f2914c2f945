"""A trace of the stem of a network that every run has, as a run with all gates records it."""

from pathlib import Path

import pytest

from parity.core.layers import Network
from parity.core.policy import GATES
from parity.core.specification import PHOTOGRAPHS
from parity.reference.opening import stored
from parity.session.opening import open_reference
from parity.session.options import Options
from parity.session.session import ParitySession, Selection

NETWORK = Network("mobile", 97, 131)
STEM = ("conv0", "conv0_bn", "cell_stem_0.relu", "cell_stem_0.1x1")
NAMES = {gate: STEM for gate in GATES if gate not in ("preprocess", "imagenet")} | {"preprocess": ("coffee.jpg",)}
SELECTION: Selection = {(gate, NETWORK): frozenset(names) for gate, names in NAMES.items()}


def options(record: Path | None = None, reference: Path | None = None, seed: int = 0) -> Options:
    """Return the options of a run on two photographs, on one thread; judged by the trace `reference`, if given."""
    if reference:
        return Options((NETWORK,), None, (), (str(reference),), 0, 1, stored=stored(str(reference)))
    images = (PHOTOGRAPHS / "chelsea.jpg", PHOTOGRAPHS / "coffee.jpg")
    return Options((NETWORK,), None, images, ("official",), seed, 1, record=record)


def judged(run_options: Options, selection: Selection = SELECTION) -> ParitySession:
    """Return a session that has judged all that is selected, and ended."""
    session = ParitySession(run_options, selection, open_reference(run_options, selection))
    for (gate, network), names in selection.items():
        for name in sorted(names):
            session.result(gate, network, name)
    session.close()
    return session


@pytest.fixture(scope="package")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[ParitySession, Path]:
    """The session that recorded, and its trace."""
    path = tmp_path_factory.mktemp("trace") / "stem.h5"
    return judged(options(record=path)), path
