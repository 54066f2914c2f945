"""The inference form passes the gates of values that the port passes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from parity.candidate.capture import capture
from parity.core import compare, metrics
from parity.core.computing import Results
from parity.core.layers import Network, port_layers
from parity.core.result import LayerResult
from parity.core.specification import PHOTOGRAPHS
from parity.gates.context import NetworkContext
from parity.reference.live import LiveReference
from parity.session.options import Options
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.inference import inference_form
from pnasnet_torch.operations import BatchNorm
from pnasnet_torch.weights import from_tf_variables
from tf_reference.run import OfficialRun

# Its maps have even sides one way and odd ones the other: 48x65, 24x33, 12x17 and 6x9.
NETWORK = Network("mobile", 97, 131)
Plant = Callable[[PNASNet], None]
Judged = dict[str, dict[str, LayerResult]]


@pytest.fixture(scope="module")
def judged() -> Callable[[Plant], Judged]:
    """What judges every layer of the form, by gate; `plant`, which it takes, changes the model that this is made of."""
    options = Options((NETWORK,), None, (PHOTOGRAPHS / "chelsea.jpg",), ("official",), 0, 1)
    context = NetworkContext(NETWORK, LiveReference(options))
    variables, images = context.variables(), context.images()
    independent = metrics.independent_neighbourhoods(images[0])
    official = {}
    for dtype in ("float64", "float32"):
        with OfficialRun(context.graph(dtype), threads=1) as reference:
            reference.assign(variables)
            official[dtype] = reference.run(images)

    def judge(dtype: str, layer: str, actual: np.ndarray) -> LayerResult:
        truth = official["float64"][layer]
        if dtype == "float64":
            return compare.float64(str(NETWORK), layer, actual, truth)
        own = metrics.distance(official[dtype][layer], truth)
        return compare.float32(str(NETWORK), layer, actual, truth, own, independent)

    def judge_all(plant: Plant) -> Judged:
        results: Judged = {}
        for dtype in official:
            model = from_tf_variables(variant(NETWORK.variant).config, variables, getattr(torch, dtype))
            plant(model)
            found = results[dtype] = {}

            def report(layer: str, actual: np.ndarray, dtype: str = dtype, found: Results = found) -> None:
                found[layer] = judge(dtype, layer, actual)

            capture(inference_form(model), images, port_layers(NETWORK.variant), report)
        return results

    return judge_all


def test_every_layer_of_the_inference_form_passes(judged: Callable[[Plant], Judged]) -> None:
    results = judged(lambda _model: None)
    assert {gate: [str(row) for row in rows.values() if not row] for gate, rows in results.items()} == {
        "float64": [],
        "float32": [],
    }
    # Of 726: a change that hides more of them, or shows one that was not judged, is to be seen here.
    assert {gate: len(rows) for gate, rows in results.items()} == {"float64": 571, "float32": 571}


def test_a_fault_in_folding_is_found(judged: Callable[[Plant], Judged]) -> None:
    """The epsilon of one batch norm is left out."""

    def forget(model: PNASNet) -> None:
        bn = model.get_submodule("cell_4.beginning_bn")
        assert isinstance(bn, BatchNorm)
        bn.eps = 0.0

    results = judged(forget)
    for rows in results.values():
        assert not rows["cell_4.beginning_bn"]
        assert rows["cell_3.beginning_bn"]
