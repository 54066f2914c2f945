"""The files in this folder, one for each network, and what makes them: the official network, run on TensorFlow."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parity.core import integers
from parity.core.errors import InputError
from parity.core.files import replacing
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
    """A network's file. `inputs`: the digest of weights and images by dtype. `variables`: TensorFlow's, with shapes."""

    network: Network
    provenance: Mapping[str, Any]
    inputs: Mapping[str, str]
    variables: Mapping[str, tuple[int, ...]]
    layers: Mapping[str, Row]


def path_of(network: Network) -> Path:
    return FOLDER / f"{network}.json"


def write(golden: Golden) -> None:
    """Writes the network's file, a layer or variable in a line."""
    layers = golden.layers.items()
    rows = {name: [row.shape, row.inputs, *(row.digests[dtype] for dtype in DTYPES)] for name, row in layers}
    parts = [f'"{name}": {json.dumps(getattr(golden, name))}' for name in ("provenance", "inputs")]
    for name, entries in (("variables", golden.variables), ("layers", rows)):
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in entries.items())
        parts.append(f'"{name}": {{\n{lines}\n}}')
    with replacing(path_of(golden.network)) as temporary:
        temporary.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def read(network: Network) -> Golden:
    """The network's file. Raises InputError if it is missing or damaged."""
    path = path_of(network)
    try:
        content = json.loads(path.read_text())
        layers = {
            name: Row(tuple(shape), tuple(inputs), dict(zip(DTYPES, digests, strict=True)))
            for name, (shape, inputs, *digests) in content["layers"].items()
        }
        variables = {name: tuple(shape) for name, shape in content["variables"].items()}
        return Golden(network, content["provenance"], content["inputs"], variables, layers)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no golden digests ({error!r}): take it from the repository again") from error


def digest(array: np.ndarray) -> str:
    return integers.digest(array)[:DIGITS]


def make_inputs(
    network: Network, variables: Mapping[str, tuple[int, ...]], area: int, dtype: str
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The integer network's weights and images; `area` is that of the last map."""
    made = integers.exact_variables(variables, dtype, area, SEED)
    return made, integers.exact_images(network.height, network.width, dtype, SEED)


def inputs_digest(variables: Mapping[str, np.ndarray], images_nhwc: np.ndarray) -> str:
    """Stands for the images and the weights: those of the stem and the head will do, as all are drawn in one way."""
    drawn = sorted(name for name in variables if not name.startswith("cell_") or name.startswith("cell_stem"))
    parts = [integers.digest(images_nhwc), *(f"{name} {integers.digest(variables[name])}" for name in drawn)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:DIGITS]


def differences(old: Golden, new: Golden) -> list[str]:
    """What changed from one to the other, in words."""
    parts = {name: (getattr(old, name), getattr(new, name)) for name in ("inputs", "variables", "layers")}
    return [f"{name}: {change}" for name, (one, other) in parts.items() if (change := _change(one, other))]


def _change(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    def listed(words: str, names: Collection[str]) -> list[str]:
        return [f"{len(names):,} {words}, first {next(iter(names))}"] if names else []

    changed = [name for name in old if name in new and old[name] != new[name]]
    gone = [name for name in old if name not in new]
    added = [name for name in new if name not in old]
    return "; ".join(listed("changed", changed) + listed("gone", gone) + listed("new", added))
