"""Changes of what is converted: the classes, and the auxiliary head."""

from dataclasses import replace

import numpy as np

from pnasnet_torch.errors import WeightsError
from pnasnet_torch.hub import BACKGROUND
from pnasnet_torch.naming import is_of_head, schemes
from pnasnet_torch.source import Weights
from pnasnet_torch.weights import variants_of

# What the names of parameters with a row for each class end with; the auxiliary head has such ones, too.
BY_CLASS = (".FC.weight", ".FC.bias")


def changed(weights: Weights, names: str, classes: int | None, drop_aux_head: bool) -> Weights:
    """Return the weights as the target shall have them under `names`, with so many `classes` (None: those they have).

    Raises WeightsError where they have not what is asked for, or where the names have no place for what they have.
    """
    if drop_aux_head:
        state = {name: array for name, array in weights.state.items() if not is_of_head(name)}
        weights = replace(weights, state=state, config=replace(weights.config, aux_image_size=None))
    # After that, as the head may be what the names have no place for.
    _check_place(weights, names)
    present = weights.config.num_classes
    if classes is None or classes == present:
        return weights
    # The background alone can be left out: other rows would have to be made up, or chosen.
    if present != BACKGROUND or classes != BACKGROUND - 1:
        asks_for_background = present == BACKGROUND - 1 and classes == BACKGROUND
        missing = ": the background's row is not there" if asks_for_background else ""
        raise WeightsError(f"--classes {classes}: {weights.stored.path} has {present} classes{missing}")
    state = {name: without_background(name, array) for name, array in weights.state.items()}
    config = replace(weights.config, num_classes=present - 1)
    return replace(weights, state=state, config=config, label_names=weights.label_names[1:])


def without_background(name: str, array: np.ndarray) -> np.ndarray:
    """Return a parameter, called `name`, without the row of class 0, if it has one for each class."""
    return array[1:] if name.endswith(BY_CLASS) else array


def _check_place(weights: Weights, names: str) -> None:
    """Raise WeightsError where `names` have no place for the variant, or for its auxiliary head."""
    if weights.variant not in variants_of(names):
        present = " and ".join(variants_of(names))
        raise WeightsError(f"--names {names}: that implementation has PNASNet-5 {present} alone, not {weights.variant}")
    if weights.config.aux_image_size and names in schemes():
        raise WeightsError(
            f"--names {names}: that implementation has no place for the auxiliary head that {weights.stored.path} has: "
            "--drop-aux-head leaves it out"
        )
