"""The integer network's inputs, made from a seed, and what tells that they are those that values were stored for."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.core import integers
from parity.core.errors import InputError
from parity.core.layers import Network
from parity.reference.interface import Variables
from tf_reference.graph import ReferenceGraph


def exact_inputs(
    graph: ReferenceGraph, seed: int, density: integers.Density | None = None
) -> tuple[Variables, np.ndarray]:
    """Return the integer network's variables, each made when it is asked for, and images (N, H, W, 3).

    They are in the graph's dtype. `density` is that of the kernels: by default the highest that stays exact.
    """
    spec = graph.spec
    area = integers.map_area(graph.layers["final_layer.relu"].shape)
    variables = integers.ExactVariables(graph.shapes, spec.dtype, area, seed, density)
    return variables, integers.exact_images(spec.height, spec.width, spec.dtype, seed)


def inputs_digest(variables: Variables, images_nhwc: np.ndarray) -> str:
    """Return a SHA-256 that stands for the images and the weights."""
    # The weights of the stem and the head will do, as all are drawn in one way.
    hashed = [name for name in sorted(variables) if not name.startswith("cell_") or name.startswith("cell_stem")]
    lines = [integers.digest(images_nhwc)]
    lines += [f"{name} {integers.digest(variables[name])}" for name in hashed]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def stored_inputs(
    network: Network, graph: ReferenceGraph, digest: str, provenance: Mapping[str, Any], again: str
) -> tuple[Variables, np.ndarray]:
    """Return the inputs that values were stored for: those of the `digest`, or as many of its digits as are known.

    Raise InputError, saying how to store them `again`, where others are made now. `provenance` is the values'.
    """
    variables, images_nhwc = exact_inputs(graph, provenance["seed"])
    # NumPy may change its streams: that would fail every layer, and is no fault of the candidate.
    if not digest or not inputs_digest(variables, images_nhwc).startswith(digest):
        raise InputError(
            f"{network} in {graph.spec.dtype}: the integers that NumPy {np.__version__} draws are not those that the "
            f"stored values were made with (NumPy {provenance['versions']['numpy']}), or parity/core/integers.py has "
            f"changed since: {again}"
        )
    return variables, images_nhwc
