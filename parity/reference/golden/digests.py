"""The files in this folder, one for each network, and what makes them: the official network, run on TensorFlow."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parity.core import integers
from parity.core.errors import InputError
from parity.core.files import reading, replacing
from parity.core.layers import NOT_SQUARE, Network, network_at

FOLDER = Path(__file__).parent
# Odd and even, square and not; Large at its own size, where a map is halved that is even, and Mobile at its own.
SIZES = {"large": ("331", NOT_SQUARE), "mobile": ("224", NOT_SQUARE)}
NETWORKS = tuple(network_at(variant, size) for variant, sizes in SIZES.items() for size in sizes)
DTYPES = ("float32", "float64")
SEED = 0
# Hexadecimal digits of SHA-256 that are kept: 128 bits.
DIGITS = 32


@dataclass(frozen=True)
class Row:
    """A layer: its shape without the number of images, the layers that feed it, its digest by dtype."""

    shape: tuple[int, ...]
    inputs: tuple[str, ...]
    digests: Mapping[str, str]


@dataclass(frozen=True)
class Golden:
    """A network's file.

    `inputs` has the digest of weights and images by dtype, `variables` the shapes of TensorFlow's variables.
    """

    network: Network
    provenance: Mapping[str, Any]
    inputs: Mapping[str, str]
    variables: Mapping[str, tuple[int, ...]]
    layers: Mapping[str, Row]


def path_of(network: Network) -> Path:
    """Return the path of the network's file."""
    return FOLDER / f"{network}.json"


def write(golden: Golden) -> None:
    """Write the network's file as JSON, a layer or variable in a line."""
    rows = {}
    for name, row in golden.layers.items():
        layer_digests = [row.digests[dtype] for dtype in DTYPES]
        rows[name] = [row.shape, row.inputs, *layer_digests]
    parts = [f'"provenance": {json.dumps(golden.provenance)}', f'"inputs": {json.dumps(golden.inputs)}']
    # A line for each: where one layer changes, one line of the file does.
    for part, entries in (("variables", golden.variables), ("layers", rows)):
        lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items()]
        parts.append(f'"{part}": {{\n' + ",\n".join(lines) + "\n}")
    with replacing(path_of(golden.network)) as temporary:
        temporary.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def read(network: Network) -> Golden:
    """Return what the network's file holds. Raise InputError if it is missing or damaged."""
    path = path_of(network)
    with reading(f"{path}, the golden digests,"):
        text = path.read_text()
    try:
        content = json.loads(text)
        layers = {}
        for name, (shape, inputs, *digests) in content["layers"].items():
            # Strict: a row with another number of digests is a damaged one.
            layers[name] = Row(tuple(shape), tuple(inputs), dict(zip(DTYPES, digests, strict=True)))
        variables = {name: tuple(shape) for name, shape in content["variables"].items()}
        return Golden(network, content["provenance"], content["inputs"], variables, layers)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no golden digests ({error!r}): take it from the repository again") from error


def digest(array: np.ndarray) -> str:
    """Return the digest of a layer's dtype, shape and values, in which -0.0 counts as 0.0."""
    return integers.digest(array)[:DIGITS]


def differences(old: Golden, new: Golden) -> list[str]:
    """Return what changed from `old` to `new`, in words: a text for each part of the file that did."""
    changes = []
    for part in ("inputs", "variables", "layers"):
        change = _change(getattr(old, part), getattr(new, part))
        if change:
            changes.append(f"{part}: {change}")
    return changes


def _change(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return how many entries changed, are gone and are new, in words; an empty text if none are."""
    names_by_kind = {
        "changed": [name for name in old if name in new and old[name] != new[name]],
        "gone": [name for name in old if name not in new],
        "new": [name for name in new if name not in old],
    }
    return "; ".join(f"{len(names):,} {kind}, first {names[0]}" for kind, names in names_by_kind.items() if names)
