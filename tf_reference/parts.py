"""The official network in parts that are computed one after the other, so that never all values are held at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tf_reference.layers import IMAGES, Layer


@dataclass(frozen=True)
class Part:
    """Layers that are computed at once, from the images and the values of those layers that the part is `given`.

    `computed` has those of its layers whose values are wanted, and those that later parts are given.
    """

    computed: tuple[str, ...]
    given: tuple[str, ...]


def parts_of(layers: Mapping[str, Layer], wanted: Collection[str], limit: float) -> list[Part]:
    """Return the parts in which the values of the layers `wanted` are computed, in the order of the graph.

    The wanted layers of a part have together at most `limit` elements for each image, unless one alone has more.
    """
    divided = _divided(layers, wanted, limit)
    given: list[tuple[str, ...]] = []
    for names in divided:
        inputs = dict.fromkeys(name for layer in names for name in layers[layer].inputs)
        own = set(names)
        given.append(tuple(name for name in inputs if name not in own and name != IMAGES))
    all_given = {name for names in given for name in names}
    parts: list[Part] = []
    for names, given_names in zip(divided, given, strict=True):
        computed = tuple(name for name in names if name in wanted or name in all_given)
        parts.append(Part(computed, given_names))
    return parts


def _divided(layers: Mapping[str, Layer], wanted: Collection[str], limit: float) -> list[list[str]]:
    """Return the layers that the `wanted` ones are computed from, and these, divided by the size of the wanted."""
    divided: list[list[str]] = []
    size = 0
    for layer in _up_to(layers, wanted):
        elements = layers[layer].elements if layer in wanted else 0
        is_full = elements > 0 and size > 0 and size + elements > limit
        if is_full or not divided:
            divided.append([])
            size = 0
        divided[-1].append(layer)
        size += elements
    return divided


def _up_to(layers: Mapping[str, Layer], wanted: Collection[str]) -> list[str]:
    """Return the layers `wanted` and all that they are computed from, in the order of the graph."""
    needed: set[str] = set()
    # What feeds a layer comes before it: backwards, each layer is met behind all that it feeds.
    for name in reversed(list(layers)):
        if name in wanted or name in needed:
            needed.add(name)
            needed.update(layers[name].inputs)
    return [name for name in layers if name in needed]
