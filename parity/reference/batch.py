"""What both sides train on: photographs, labels, and random draws that they share."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tf_reference.training import TrainingGraph
from tf_reference.training_run import Batch

# Halfway through the official schedule of drop path.
STEP = 125_000
# Whole steps that are compared.
STEPS = 3


def make_batch(graph: TrainingGraph, images_nhwc: np.ndarray, seed: int) -> Batch:
    """The images with random labels and draws.

    Drop path lets at least one image pass everywhere: of a branch without any there would be nothing to compare.
    """
    rng = np.random.default_rng(seed)
    count, classes = len(images_nhwc), graph.network.spec.num_classes
    draws = {}
    for name, draw in graph.draws.items():
        draws[name] = rng.random((count, *draw.shape))
        if draw.keep_prob:
            # Kept is what draws at least 1 - keep_prob, which is 0.4 at the most.
            draws[name][rng.integers(count)] = rng.uniform(0.5, 1)
        # Numbers that float32 has, so that both formats draw the same.
        draws[name] = draws[name].astype(np.float32).astype(draw.dtype)
    return Batch(images_nhwc, rng.integers(1, classes, count), draws, STEP)


def make_batches(graph: TrainingGraph, images_nhwc: np.ndarray, seed: int) -> list[Batch]:
    """Three batches of the images, one after the other, each with draws of its own."""
    return [replace(make_batch(graph, images_nhwc, seed + number), step=STEP + number) for number in range(STEPS)]


def with_aux_head(
    variables: Mapping[str, np.ndarray], graph: TrainingGraph, seed: int
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The variables, and random ones for an auxiliary head that they lack or have for images of another size; and the
    names of these."""
    rng = np.random.default_rng(seed)
    found, made = dict(variables), []
    for name, variable in graph.network.variables.items():
        if name.startswith("aux_") and (name not in found or found[name].shape != variable.shape):
            made.append(name)
            match name.rpartition("/")[2]:
                case "weights":
                    deviation = np.sqrt(2 / np.prod(variable.shape[:-1]))
                    found[name] = rng.normal(0, deviation, variable.shape).astype(np.float32)
                case "gamma" | "moving_variance":
                    found[name] = rng.uniform(0.6, 1.6, variable.shape).astype(np.float32)
                case _:
                    found[name] = rng.normal(0.1, 0.3, variable.shape).astype(np.float32)
    return found, made
