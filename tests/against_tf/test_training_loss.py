"""What training adds to the official network: drop path's schedule, and the loss as slim's own functions have it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pnasnet_torch import PNASNet, TrainingOutputs, variant
from pnasnet_torch.operations import DropPath
from pnasnet_torch.training import AUX_WEIGHT, LABEL_SMOOTHING, WEIGHT_DECAY, training_loss
from tf_reference.draws import draws_of
from tf_reference.graph import GraphSpec, official_network
from tf_reference.official import Source

# Large with as many cells, and few filters: all twelve, or as few as take much less time.
CELLS = [3, pytest.param(12, marks=pytest.mark.slow)]


# The probability with which each drop path keeps an example at a training step, by the drop path.
KeepProbs = Callable[[int], dict[str, Any]]


@pytest.fixture(scope="module", params=CELLS)
def cells(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def official_keep_probs(cells: int, source: Source, tf: Any) -> Iterator[KeepProbs]:
    """Of the network alone: its gradients and updates take a minute to build."""
    v1 = tf.compat.v1
    hparams = (("num_cells", cells), ("num_conv_filters", 4))
    with official_network(source, GraphSpec("large", 97, 97, "float64", training=True, hparams=hparams)) as (
        graph,
        _logits,
        _end_points,
    ):
        operations = {operation.name for operation in graph.get_operations()}
        tensors = {name: draw.keep_prob for name, draw in draws_of(graph, operations) if draw.keep_prob}
        global_step = v1.train.get_global_step()
        with v1.Session() as session:

            def keep_probs(step: int) -> dict[str, Any]:
                session.run(global_step.initializer, {global_step.initial_value: step})
                values: dict[str, Any] = session.run(tensors)
                return values

            yield keep_probs


@pytest.fixture(scope="module")
def drop_paths(cells: int) -> dict[str, DropPath]:
    with torch.device("meta"):
        model = PNASNet(replace(variant("large").config, num_cells=cells))
    return {name: module for name, module in model.named_modules() if isinstance(module, DropPath)}


@pytest.mark.parametrize("step", [0, 1, 125_000, 249_999, 250_000, 1_000_000])
def test_drop_path_keeps_with_the_official_probability(
    step: int, cells: int, official_keep_probs: KeepProbs, drop_paths: dict[str, DropPath]
) -> None:
    """In every cell, bit for bit: both compute it in float32."""
    official = official_keep_probs(step)
    found = {name: module.keep_prob(step).numpy() for name, module in drop_paths.items()}
    assert found == official
    assert len({float(value) for value in official.values()}) == (1 if step == 0 else cells + 2)


def test_the_loss_is_what_slim_adds_up(tf: Any) -> None:
    """slim's own functions round to float32 on the way."""
    rng = np.random.default_rng(0)
    logits, aux_logits, labels = rng.normal(0, 3, (2, 5, 1001)), rng.normal(0, 3, (5, 1001)), np.arange(5) * 200
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        onehot = tf.one_hot(labels, 1001)
        v1.losses.softmax_cross_entropy(onehot, aux_logits, label_smoothing=LABEL_SMOOTHING, weights=AUX_WEIGHT)
        v1.losses.softmax_cross_entropy(onehot, logits[0], label_smoothing=LABEL_SMOOTHING, weights=1.0)
        expected = session.run(v1.losses.get_losses())
    model = PNASNet(variant("mobile").config)
    outputs = TrainingOutputs(torch.from_numpy(logits[0]), torch.from_numpy(aux_logits))
    losses = training_loss(model, outputs, torch.from_numpy(labels))
    np.testing.assert_allclose([losses.auxiliary.item(), losses.cross_entropy.item()], expected, rtol=1e-6)
    weights = [p for name, p in model.named_parameters() if name.endswith("weight") and p.ndim > 1]
    norm = WEIGHT_DECAY * sum(weight.double().square().sum().item() / 2 for weight in weights)
    assert losses.regularization.item() == pytest.approx(norm, rel=1e-5)
