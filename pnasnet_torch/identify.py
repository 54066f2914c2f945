"""Tells what weights are of: the variant, the number of classes, and the auxiliary head, by the tensors' shapes."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pnasnet_torch.genotype import VARIANTS, Config, aux_cell
from pnasnet_torch.hub import default_size
from pnasnet_torch.model import PNASNet
from pnasnet_torch.targets import CLASSES, OURS, TF, stored_name, targets
from pnasnet_torch.weights import is_count, outline, variant_of

# The side (pixels) up to which an auxiliary head's image size is looked for.
LARGEST_SIDE = 4096


def identify(arrays: Mapping[str, np.ndarray], names: str) -> tuple[str, Config]:
    """Return the variant and its configuration, told by the shapes of the tensors that are stored under `names`.

    Raise WeightsError where they are of no variant.
    """
    shapes = {name: array.shape for name, array in arrays.items() if not is_count(name)}
    variant = variant_of(shapes, names)
    config = VARIANTS[variant].config
    classes = _shape(shapes, config, names, CLASSES)
    if classes:
        config = replace(config, num_classes=classes[0])
    # Only the port and the official network have the auxiliary head.
    if names in (OURS, TF):
        headed = replace(config, aux_image_size=default_size(variant))
        head = _shape(shapes, headed, names, f"aux_{aux_cell(config)}.aux_logits.Conv.weight")
        if head:
            config = replace(config, aux_image_size=_aux_size(outline(headed), head[2:]))
    return variant, config


def _shape(shapes: Mapping[str, tuple[int, ...]], config: Config, names: str, parameter: str) -> tuple[int, ...]:
    """Return the shape of a parameter, as the port has it; empty if it is not stored, or has other axes."""
    name = stored_name(outline(config), names, parameter)
    axes = targets(outline(config), names)[name].axes
    stored_shape = shapes.get(name, ())
    if len(stored_shape) != len(axes):
        return ()
    return tuple(stored_shape[axis] for axis in axes)


def _aux_size(model: PNASNet, map_size: tuple[int, ...]) -> tuple[int, int]:
    """Return an image size that the head with a last convolution of this size fits; the model's own if that does."""
    rows, columns = map_size
    return _aux_side(model, rows), _aux_side(model, columns)


def _aux_side(model: PNASNet, map_side: int) -> int:
    """Return an image side (pixels) whose map before the auxiliary head's last convolution has this side."""
    assert model.config.aux_image_size
    # Several sides have the same map. The model's own is tried first, as the one that is most probably meant.
    for side in (*model.config.aux_image_size, *range(1, LARGEST_SIDE)):
        if model.aux_map((side, side))[0] == map_side:
            return side
    return min(model.config.aux_image_size)
