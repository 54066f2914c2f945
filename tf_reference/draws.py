"""What the official training graph draws at random: drop path and dropout."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tf_reference.errors import InputError


@dataclass(frozen=True)
class Draw:
    """Numbers that the network draws, uniform in [0, 1).

    `tensor` is what they are fed as, `shape` that for one image, and, for drop path, `keep_prob` the tensor of the
    probability to keep.
    """

    tensor: str
    shape: tuple[int, ...]
    dtype: str
    keep_prob: str = ""


def draws_of(tf_graph: Any, operations: set[str]) -> Iterator[tuple[str, Draw]]:
    """Yield all that is drawn by the `operations` of these names, by its own name. Raise InputError as `draw_name`."""
    for operation in tf_graph.get_operations():
        if operation.type != "RandomUniform" or operation.name not in operations:
            continue
        output = operation.outputs[0]
        name = draw_name(operation.name)
        dtype = output.dtype.name
        if name.endswith("dropout"):
            _, *shape = output.shape.as_list()
            yield name, Draw(output.name, tuple(shape), dtype)
        else:
            # Drop path adds one number for each image to the probability to keep, and rounds down.
            (consumer,) = output.consumers()
            (keep_prob,) = (tensor for tensor in consumer.inputs if tensor is not output)
            yield name, Draw(output.name, (1, 1, 1), dtype, keep_prob.name)


def draw_name(path: str) -> str:
    """Return what draws: `cell_0/comb_iter_1/left/random_uniform/RandomUniform` is `cell_0.comb_iter_1.drop_path.left`.

    Raise InputError for anything but drop path and dropout.
    """
    scope = path.partition("/random_uniform")[0]
    drop_path = re.fullmatch(r"(cell_\w+)/(comb_iter_\d)/(left|right)", scope)
    if drop_path:
        cell, combination, side = drop_path.groups()
        return f"{cell}.{combination}.drop_path.{side}"
    dropout = re.fullmatch(r"(\w+)/dropout(/dropout\w*)?", scope)
    if dropout:
        return f"{dropout[1]}.dropout"
    raise InputError(f"the official graph draws numbers in a place that is unknown: {path}")
