"""Changes of what is converted: the classes, and the auxiliary head."""

from dataclasses import replace

import numpy as np

from pnasnet_torch.errors import WeightsError
from pnasnet_torch.hub import BACKGROUND
from pnasnet_torch.naming import schemes
from pnasnet_torch.source import Weights
from pnasnet_torch.weights import variants_of

# What the parameters begin and end with that belong to the auxiliary head, and that have a row for each class.
AUX_HEAD, BY_CLASS = "aux_", (".FC.weight", ".FC.bias")


def changed(weights: Weights, names: str, classes: int | None, drop_aux_head: bool) -> Weights:
    """The weights as the target shall have them under `names`.

    Raises WeightsError where they have not what is asked for, or where the names have no place for what they have.
    """
    if drop_aux_head:
        state = {name: array for name, array in weights.state.items() if not name.startswith(AUX_HEAD)}
        weights = replace(weights, state=state, config=replace(weights.config, aux_image_size=None))
    _check(weights, names)
    found = weights.config.num_classes
    if classes in (None, found):
        return weights
    if (found, classes) != (BACKGROUND, BACKGROUND - 1):
        missing = ": the background's row is not there" if (found, classes) == (BACKGROUND - 1, BACKGROUND) else ""
        raise WeightsError(f"--classes {classes}: {weights.stored.path} has {found} classes{missing}")
    state = {name: without_background(name, array) for name, array in weights.state.items()}
    config = replace(weights.config, num_classes=found - 1)
    return replace(weights, state=state, config=config, label_names=weights.label_names[1:])


def without_background(name: str, array: np.ndarray) -> np.ndarray:
    """A parameter without the row of class 0, if it has one for each class."""
    return array[1:] if name.endswith(BY_CLASS) else array


def _check(weights: Weights, names: str) -> None:
    if weights.variant not in variants_of(names):
        has = " and ".join(variants_of(names))
        raise WeightsError(f"--names {names}: that implementation has PNASNet-5 {has} alone, not {weights.variant}")
    if weights.config.aux_image_size and names in schemes():
        raise WeightsError(
            f"--names {names}: that implementation has no place for the auxiliary head that {weights.stored.path} has: "
            "--drop-aux-head leaves it out"
        )
