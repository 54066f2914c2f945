"""Elements whose gradient is a matter of rounding are found, compared in sum, and nothing else is let off."""

from functools import partial

import numpy as np
import pytest
import torch

from parity.core.compare import exact
from parity.core.computing import Results
from parity.core.training_names import GRADIENT
from parity.faults.training.bench import TrainingBench
from parity.faults.training.variations import last_of_ties
from parity.gates.training.ties import TieFinder, Ties, compared, find_ties
from parity.reference.batch import make_batch
from pnasnet_torch.operations import SameMaxPool2d
from tf_reference.training_run import TrainingRun


def test_elements_that_are_equally_large_in_a_window_are_one_tie() -> None:
    """Windows of 3x3 overlap, so the three are one tie; the 4 is larger than what it meets."""
    row = np.array([5.0, 1.0, 5.0, 0.0, 5.0, 1.0, 4.0])
    ties = find_ties(row.reshape(1, 1, 7, 1), row.reshape(1, 1, 7, 1), [(3, 1)], [])
    assert ties.members.tolist() == [0, 2, 4]
    assert ties.first.tolist() == [0, 0, 0]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [2, 3])
def test_the_sum_over_a_tie_does_not_depend_on_who_wins(kernel: int, stride: int) -> None:
    """Taking one element of each tie for larger moves the gradient, and leaves the sums."""
    rng = np.random.default_rng(kernel)
    values = rng.integers(0, 4, (2, 7, 6, 3)).astype(float)
    ties = find_ties(values, values, [(kernel, stride)], [])
    first, second = (pool_gradient(values + 1e-9 * rng.random(values.shape), kernel, stride) for _ in range(2))
    assert (first != second).any()
    assert (ties.summed(first) == ties.summed(second)).all()


def pool_gradient(values: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    x = torch.from_numpy(values).permute(0, 3, 1, 2).requires_grad_()
    y = SameMaxPool2d(kernel, stride)(x)
    weights = torch.arange(1, y.numel() + 1, dtype=torch.float64).reshape(y.shape)
    return torch.autograd.grad((y * weights).sum(), x)[0].permute(0, 2, 3, 1).numpy()


def test_what_a_relu_cuts_on_one_side_alone_is_left_out_if_it_is_at_the_edge() -> None:
    official = np.array([1.0, 1e-12, -1e-12, -1.0]).reshape(1, 1, 4, 1)
    port = np.array([-1.0, -1e-12, -2e-12, 1.0]).reshape(1, 1, 4, 1)
    ties = find_ties(port, official, [], [0.0])
    assert ties.cut.tolist() == [1]
    assert "1 that a ReLU cuts on one side alone are left out" in str(ties)


def test_values_that_differ_are_no_tie() -> None:
    values = np.random.default_rng(0).random((1, 8, 8, 2))
    assert not find_ties(values, values, [(3, 1), (3, 2)], [0.0])


def results_on(bench: TrainingBench, images_nhwc: np.ndarray) -> tuple[Results, Results]:
    """The gradients of a port that takes the last of ties; with ties compared in sum, and as if there were none."""
    batch = make_batch(bench.graph, images_nhwc, 0)
    with TrainingRun(bench.graph, 1) as reference:
        reference.assign(bench.variables)
        values, (losses, gradients) = reference.forward(batch), reference.backward(batch)

    def judged() -> Results:
        judged = bench.judged(last_of_ties, [batch])
        judged.judge_forward(dict(values))
        judged.judge_backward(losses, dict(gradients))
        return judged.results[GRADIENT]

    with_ties = judged()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TieFinder, "__call__", lambda *_arguments: None)
        return with_ties, judged()


@pytest.mark.slow
def test_on_regions_of_one_colour_ties_are_compared_in_sum(bench: TrainingBench) -> None:
    images = bench.batches[0].images_nhwc.copy()
    images[0, 20:], images[1, :, 30:] = 1, -1
    with_ties, without = results_on(bench, images)
    assert all(with_ties.values())
    assert not all(without.values())
    assert any("ties are compared by the sum of each" in note for row in with_ties.values() for note in row.notes)


@pytest.mark.slow
def test_on_photographs_without_such_regions_nothing_is_let_off(bench: TrainingBench) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, bench.batches[0].images_nhwc.shape)
    with_ties, without = results_on(bench, noise)
    assert all(with_ties.values())
    assert all(without.values())
    assert not any(row.notes for row in with_ties.values())


def test_a_gradient_that_ties_do_not_explain_fails() -> None:
    """The sum over the tie is another."""
    ties = Ties(np.array([0, 1]), np.array([0, 0]), np.array([], int))
    check = partial(exact, "mobile-97", "cell_0.prev_bn")
    truth = np.array([1.0, 0.0, 2.0]).reshape(1, 1, 3, 1)
    moved = np.array([0.0, 1.0, 2.0]).reshape(1, 1, 3, 1)
    result, decided = compared(ties, moved, truth, check)
    assert result
    assert decided is not None
    assert (decided == truth).all()
    assert not compared(ties, moved * 1.001, truth, check)[0]
