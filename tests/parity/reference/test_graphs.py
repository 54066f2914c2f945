"""What is built before the first gate, and what is not."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from parity.core.layers import Network
from parity.reference.live import LiveReference
from parity.session.options import Options
from tf_reference import building
from tf_reference.official import find

MOBILE, LARGE = Network("mobile", 65, 65), Network("large", 97, 131)
Built = list[tuple[list[tuple[str, str, int, str, bool]], int]]


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    """What is to be built where the cache has the official source alone: suffix, variant, height, dtype and whether in
    training, and in how many processes."""
    wheel = find().root
    (tmp_path / "official").symlink_to(wheel.parent)
    monkeypatch.setenv("PNASNET_PARITY_CACHE", str(tmp_path))
    seen: Built = []

    def build(graphs: Sequence[building.Wanted], processes: int) -> None:
        rows = [(kind.suffix, spec.variant, spec.height, spec.dtype, spec.training) for kind, _, spec in graphs]
        seen.append((rows, processes))

    monkeypatch.setattr(building, "build", build)
    return seen


def prepare(gates: Sequence[str], *networks: Network, threads: int = 2) -> list[str]:
    """Build what these gates of these networks take; return what was told meanwhile."""
    told: list[str] = []

    def step(description: str) -> nullcontext[None]:
        told.append(description)
        return nullcontext()

    reference = LiveReference(Options(networks, None, (), ("official",), 0, threads))
    reference.build([(gate, network) for network in networks for gate in gates], step)
    return told


def test_each_graph_once_and_those_that_make_the_weights_first(built: Built) -> None:
    told = prepare(["structure", "exact-float64", "float64"], MOBILE, LARGE)
    weights = [("graph", "mobile", 224, "float32", True), ("graph", "large", 331, "float32", True)]
    judged = [
        ("graph", network.variant, network.height, dtype, False)
        for network in (MOBILE, LARGE)
        for dtype in ("float32", "float64")
    ]
    assert built == [(weights + judged, 2)]
    assert told == ["6 official graphs, which are kept for later runs"]


def test_integers_take_no_weights(built: Built) -> None:
    prepare(["exact-float32"], MOBILE, LARGE)
    assert [row[2:] for row in built[0][0]] == [(65, "float32", False), (97, "float32", False)]


@pytest.mark.parametrize(
    ("gates", "threads"), [(["preprocess", "imagenet"], 2), (["exact-float32"], 2), (["float64"], 1)], ids=str
)
def test_one_alone_is_built_where_it_is_asked_for(built: Built, gates: list[str], threads: int) -> None:
    """And all of them, where there is one thread."""
    assert prepare(gates, MOBILE, threads=threads) == []
    assert built == []
