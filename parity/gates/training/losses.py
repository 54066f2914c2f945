"""The parts of the loss, and what both sides must have in common."""

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from parity.candidate.training.port import TrainingPort
from parity.core.layers import WHOLE, Network
from parity.core.policy import FLOAT64
from parity.core.result import Check, LayerResult
from parity.core.training_names import GRADIENT, LOSS, names
from parity.reference.training import Parts
from pnasnet_torch.training import Losses


def compare_losses(network: Network, losses: Losses, official: Mapping[str, np.ndarray]) -> Iterator[LayerResult]:
    """Yield the result on each part of the loss, and on their sum; `official` has the official figures by name."""
    for name, truth in official.items():
        actual = float(getattr(losses, name).detach())
        expected = float(truth)
        difference = abs(actual - expected) / abs(expected)
        check = Check("relative difference", difference, FLOAT64.relative_l2)
        notes = (f"the port has {actual!r}, the official network {expected!r}",)
        yield LayerResult(LOSS, str(network), name, (check,), notes=notes)


def compare_parts(network: Network, parts: Parts, port: TrainingPort) -> LayerResult:
    """Return one result on what both sides have by name, each side derived by itself.

    They must have the same layers and variables, draw in the same places, and regularise the same variables.
    """
    differences = list(_on_one_side("layer", port.layers, parts.layers))
    differences += _on_one_side("gradient", names(GRADIENT, network), parts.gradients)
    differences += _on_one_side("random operation", port.random_operations, parts.draws)
    differences += _on_one_side("regularised variable", port.regularized(), parts.regularized)
    check = Check("what one side alone has", len(differences), 0)
    return LayerResult(LOSS, str(network), WHOLE, (check,), notes=tuple(differences))


def _on_one_side(what: str, ours: Collection[str], official: Collection[str]) -> Iterator[str]:
    """Yield a sentence on each name that one side alone has, in the order of the names."""
    for name in sorted(set(ours) ^ set(official)):
        side = "the port" if name in ours else "the official network"
        yield f"{what} {name}: {side} alone has it"
