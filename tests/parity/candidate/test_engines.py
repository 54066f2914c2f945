"""The port under other engines."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.candidate.capture import to_nhwc
from parity.candidate.engines import ENGINES, Engine, EngineCandidate, EngineRun
from parity.candidate.runners import Runner, Tapped
from parity.core.layers import Network, layer_modules
from parity.core.result import Check, LayerResult
from pnasnet_torch import PNASNet
from tf_reference.errors import InputError
from tf_reference.graph import ReferenceGraph

NETWORK = Network("mobile", 24, 32)
# Layers that every form has.
SOME = ("conv0_bn", "cell_1.comb_iter_0.left.relu_1", "cell_2.relu", "final_layer.predictions")
GraphOf = Callable[[Iterable[str]], ReferenceGraph]


def judge(layer: str, actual: np.ndarray) -> LayerResult:
    return LayerResult("float32", "", layer, (Check(str(float(actual.sum())), 0, 0),))


def opened(name: str, model: PNASNet) -> EngineRun:
    """Return the engine's run of a copy of the model in float32, on one thread."""
    return EngineCandidate(name).open(NETWORK, "float32", lambda *_: deepcopy(model))


def outcome(name: str, model: PNASNet, images_nhwc: np.ndarray, graph: ReferenceGraph) -> dict[str, LayerResult]:
    """Return what the engine's run makes of the layers."""
    return opened(name, model).results("float32", frozenset(SOME), graph, images_nhwc, judge)


# Compiling takes minutes: that is left to the campaign of harmless variations (pnasnet-parity faults). OpenVINO takes
# the same graph as ONNX Runtime.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name == "openvino" else [])
        for name in sorted(ENGINES.keys() - {"compile"})
    ],
)
def test_each_engine_gives_the_ports_values(name: str, tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    values_nhwc: dict[str, np.ndarray] = {}
    opened(name, tiny).run(images_nhwc, frozenset(SOME), values_nhwc.__setitem__)
    outputs = Tapped(deepcopy(tiny), SOME)(torch.from_numpy(images_nhwc).permute(0, 3, 1, 2))
    for layer, output in zip(SOME, outputs, strict=True):
        expected = to_nhwc(output)
        # Folding rounds otherwise: values near zero are off by a share of the largest.
        largest = float(np.abs(expected).max())
        np.testing.assert_allclose(values_nhwc[layer], expected, rtol=1e-4, atol=1e-5 * largest)


def test_all_layers_can_be_tapped_at_once(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    layers = list(layer_modules(tiny))
    images = torch.from_numpy(images_nhwc).permute(0, 3, 1, 2)
    assert len(Tapped(tiny, layers)(images)) == len(layers)


def test_other_weights_are_taken_by_what_was_compiled(tiny: PNASNet, images_nhwc: np.ndarray) -> None:
    """Where the engine follows the model, it is started once."""
    starts: list[Tapped] = []

    def start(tapped: Tapped, _images: Tensor, _threads: int) -> nn.Module:
        starts.append(tapped)
        return tapped

    candidate = EngineCandidate("compile")
    candidate.engine = Engine(start, follows=True)
    sums = []
    for scale in (1.0, 2.0):
        with torch.no_grad():
            tiny.final_layer.get_parameter("FC.bias").fill_(scale)
        engine_run = candidate.open(NETWORK, "float32", lambda *_: deepcopy(tiny))
        engine_run.run(images_nhwc, frozenset(["final_layer.FC"]), lambda _, values: sums.append(float(values.sum())))
    assert len(starts) == 1
    # The bias of each logit of the two images, of seven classes, is larger by 1.
    assert sums[1] - sums[0] == pytest.approx(2 * 7, rel=1e-4)


def test_what_an_engine_raises_is_its_result(
    tiny: PNASNet, images_nhwc: np.ndarray, official_graph: GraphOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object) -> Runner:
        raise ValueError("planted")

    monkeypatch.setitem(ENGINES, "export", Engine(start))
    results = outcome("export", tiny, images_nhwc, official_graph(SOME))
    assert not any(results.values())
    assert {result.problem for result in results.values()} == {"the candidate fails with ValueError: planted"}


def test_an_engine_that_gives_too_few_layers_fails(
    tiny: PNASNet, images_nhwc: np.ndarray, official_graph: GraphOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "export", Engine(lambda tapped, *_: lambda images: tapped(images)[:-1]))
    results = outcome("export", tiny, images_nhwc, official_graph(SOME))
    assert not any(results.values())


def test_gates_are_those_of_the_dtypes_that_an_engine_has() -> None:
    assert EngineCandidate("onnxruntime").gates == ("exact-float32", "float32")
    for name in ("inference", "export"):
        assert set(EngineCandidate(name).gates) == {"exact-float32", "exact-float64", "float64", "float32"}


def test_an_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "export", Engine(packages=("no_such_package",)))
    with pytest.raises(InputError, match="export needs no_such_package: python -m pip install no_such_package"):
        EngineCandidate("export")


def test_an_engine_that_is_there_and_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its package, or what else it takes, such as a compiler."""
    (tmp_path / "broken_engine.py").write_text("raise OSError('libengine.so: cannot open shared object file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(ENGINES, "export", Engine(packages=("broken_engine",)))
    with pytest.raises(InputError, match=r"importing broken_engine raises OSError: libengine\.so: cannot open"):
        EngineCandidate("export").examine([NETWORK])
    monkeypatch.setitem(ENGINES, "export", Engine(tried=lambda: [][0]))
    with pytest.raises(InputError, match="export, tried on an addition, raises IndexError"):
        EngineCandidate("export").examine([NETWORK])


def test_an_engine_that_works_is_not_refused() -> None:
    for name in ("export", "onnxruntime"):
        EngineCandidate(name).examine([NETWORK])
