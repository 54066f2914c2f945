"""slim's optimiser, averages and schedule beside TensorFlow's own, on a few numbers; and a batch norm's one update."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pnasnet_torch.operations import BatchNorm
from pnasnet_torch.optimizer import Averages, RMSProp, clip_by_global_norm, learning_rate

SHAPES = ((3, 4), (5,))


def numbers(seed: int, scale: float = 1.0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(0, scale, shape) for shape in SHAPES]


@pytest.mark.parametrize("scale", [1.0, 100.0], ids=["within", "clipped"])
@pytest.mark.parametrize("first_step", [0, 125_000])
def test_three_steps(scale: float, first_step: int, tf: Any) -> None:
    """Bit for bit but for the order in which squares are added up."""
    gradients = [numbers(1 + number, scale) for number in range(3)]
    expected = official_steps(tf, gradients, first_step)
    parameters = nn.ParameterList(nn.Parameter(torch.from_numpy(value)) for value in numbers(0))
    optimizer, averages = RMSProp(parameters, 0.05), Averages(parameters)
    for number, step in enumerate(gradients):
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = torch.from_numpy(gradient.copy())
        clip_by_global_norm(parameters)
        optimizer.step()
        averages.update(parameters, first_step + number)
    state = [optimizer.state[parameter] for parameter in parameters]
    found = {
        "weights": [parameter.detach() for parameter in parameters],
        "rms": [row["mean_square"] for row in state],
        "momentum": [row["momentum"] for row in state],
        "average": list(averages.values.values()),
    }
    for kind, values in found.items():
        for ours, official in zip(values, expected[kind], strict=True):
            np.testing.assert_allclose(ours.numpy(), official, rtol=1e-14, err_msg=kind)


def official_steps(tf: Any, gradients: list[list[np.ndarray]], first_step: int) -> dict[str, list[np.ndarray]]:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        variables = [v1.get_variable(f"v{place}", initializer=value) for place, value in enumerate(numbers(0))]
        fed = [v1.placeholder("float64", shape) for shape in SHAPES]
        step = v1.placeholder("float64", [])
        optimizer = v1.train.RMSPropOptimizer(tf.constant(0.05, "float64"), 0.9, 0.9, epsilon=1.0)
        clipped, _ = tf.clip_by_global_norm(fed, 10.0)
        update = optimizer.apply_gradients(zip(clipped, variables, strict=True))
        averages = v1.train.ExponentialMovingAverage(0.9999, num_updates=step)
        averaged = averages.apply(variables)
        session.run(v1.global_variables_initializer())
        for number, values in enumerate(gradients):
            session.run(update, dict(zip(fed, values, strict=True)))
            session.run(averaged, {step: first_step + number})
        slots = {name: [optimizer.get_slot(variable, name) for variable in variables] for name in ("rms", "momentum")}
        kept = {"weights": variables, "average": [averages.average(variable) for variable in variables], **slots}
        result: dict[str, list[np.ndarray]] = session.run(kept)
        return result


def test_pytorchs_own_is_another(tf: Any) -> None:
    """Epsilon outside of the root, and mean squares that begin at 0: no step is alike."""
    parameter = nn.Parameter(torch.from_numpy(numbers(0)[0]))
    gradient = numbers(1)
    parameter.grad = torch.from_numpy(gradient[0])
    torch.optim.RMSprop([parameter], 0.05, alpha=0.9, eps=1.0, momentum=0.9).step()
    official = official_steps(tf, [gradient], 0)["weights"][0]
    assert np.abs(parameter.detach().numpy() - official).max() > 1e-3


def test_a_parameter_without_a_gradient_stays() -> None:
    parameter = nn.Parameter(torch.ones(3))
    RMSProp([parameter], 0.1).step()
    assert parameter.tolist() == [1, 1, 1]


@pytest.mark.parametrize("step", [0, 99, 100, 1234])
def test_the_learning_rate_falls_in_stairs(step: int, tf: Any) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        official = session.run(v1.train.exponential_decay(0.01, step, 100, 0.94, staircase=True))
    assert learning_rate(step, 0.01, 100) == pytest.approx(official, rel=1e-6)


@pytest.mark.parametrize("updates", [1, 3])
def test_moving_statistics_of_the_fused_batch_norm(updates: int, tf: Any) -> None:
    """In float32 both correct the variance after Bessel, which on 18 values is 6 %: after one update and three. The
    decay is subtracted from 1 in float32."""
    from tf_slim import arg_scope, batch_norm

    batches = [
        np.random.default_rng(number).normal(3, 50, (2, 3, 3, 5)).astype(np.float32) for number in range(updates)
    ]
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session, arg_scope([batch_norm], decay=0.9997, epsilon=0.001):
        images = v1.placeholder("float32", [2, 3, 3, 5])
        batch_norm(images, fused=True, is_training=True, scope="bn")
        session.run(v1.global_variables_initializer())
        for batch in batches:
            session.run(v1.get_collection("update_ops"), {images: batch})
        names = ("moving_mean", "moving_variance")
        mean, variance = session.run([v1.global_variables(f"bn/{name}")[0] for name in names])
    module = BatchNorm(5).train()
    for batch in batches:
        module(torch.from_numpy(batch).permute(0, 3, 1, 2))
    np.testing.assert_allclose(module.get_buffer("running_mean"), mean, rtol=1e-6)
    np.testing.assert_allclose(module.get_buffer("running_var"), variance, rtol=1e-6)
    assert np.abs(variance - 1).min() > 0.1  # without the correction, off by 6 % of this
