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
    """Each part of the loss, and their sum."""
    for name, truth in official.items():
        found, expected = float(getattr(losses, name).detach()), float(truth)
        check = Check("relative difference", abs(found - expected) / abs(expected), FLOAT64.relative_l2)
        notes = (f"the port has {found!r}, the official network {expected!r}",)
        yield LayerResult(LOSS, str(network), name, (check,), notes=notes)


def compare_parts(network: Network, parts: Parts, port: TrainingPort) -> LayerResult:
    """Both sides have the same layers and variables, draw in the same places, and regularise the same variables."""
    sides = {
        "layer": (set(port.layers), set(parts.layers)),
        "gradient": (set(names(GRADIENT, network)), parts.gradients),
        "random operation": (set(port.random_operations), parts.draws),
        "regularised variable": (port.regularized(), parts.regularized),
    }
    alone = [line for what, (ours, official) in sides.items() for line in _alone(what, ours, official)]
    return LayerResult(LOSS, str(network), WHOLE, (Check("what one side alone has", len(alone), 0),), notes=(*alone,))


def _alone(what: str, ours: Collection[str], official: Collection[str]) -> Iterator[str]:
    for name in sorted({*ours} ^ {*official}):
        yield f"{what} {name}: {'the port' if name in ours else 'the official network'} alone has it"
