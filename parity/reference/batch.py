"""What both sides train on: photographs, labels, and random draws that they share."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pnasnet_torch.naming import is_of_head
from tf_reference.training import TrainingGraph
from tf_reference.training_run import Batch

# Halfway through the official schedule of drop path, which ends at step 250,000: so the schedule counts, too.
STEP = 125_000
# Whole steps that are compared.
STEPS = 3


def make_batch(graph: TrainingGraph, images_nhwc: np.ndarray, seed: int) -> Batch:
    """Return a batch of the images (N, H, W, 3) with random labels (N) and numbers for all that `graph` draws.

    Each drop path lets at least one image pass: in a branch without any there would be nothing to compare.
    """
    rng = np.random.default_rng(seed)
    count = len(images_nhwc)
    classes = graph.network.spec.num_classes
    draws = {}
    for name, draw in graph.draws.items():
        numbers = rng.random((count, *draw.shape))
        if draw.keep_prob:
            # An image passes where its number is at least 1 - keep_prob, which is 0.4 at the most.
            passing = rng.uniform(0.5, 1)
            numbers[rng.integers(count)] = passing
        # Numbers that float32 has, so that both formats draw the same.
        draws[name] = numbers.astype(np.float32).astype(draw.dtype)
    # Without class 0, the background.
    labels = rng.integers(1, classes, count)
    return Batch(images_nhwc, labels, draws, STEP)


def make_batches(graph: TrainingGraph, images_nhwc: np.ndarray, seed: int) -> list[Batch]:
    """Return a batch of the images (N, H, W, 3) for each of `STEPS` steps, with labels and draws of its own."""
    batches = []
    for number in range(STEPS):
        batch = make_batch(graph, images_nhwc, seed + number)
        batches.append(replace(batch, step=STEP + number))
    return batches


def with_aux_head(
    variables: Mapping[str, np.ndarray], graph: TrainingGraph, seed: int
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the variables with a complete auxiliary head, and the names of those that were drawn at random for that.

    Drawn are those that the checkpoint lacks, as the released ones do, or has for images of another size: one kernel of
    the head covers a whole map.
    """
    rng = np.random.default_rng(seed)
    completed = dict(variables)
    random_names = []
    for name, variable in graph.network.variables.items():
        if not is_of_head(name):
            continue
        if name in completed and completed[name].shape == variable.shape:
            continue
        random_names.append(name)
        completed[name] = _random_values(name.rpartition("/")[2], variable.shape, rng).astype(np.float32)
    return completed, random_names


def _random_values(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return random values for a variable of a kind such as `weights`, in float64."""
    match kind:
        case "weights":
            # Behind a ReLU, this deviation keeps the scale of the values.
            return rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
        case "gamma" | "moving_variance":
            return rng.uniform(0.6, 1.6, shape)
        case _:
            return rng.normal(0.1, 0.3, shape)
