"""Weights from wherever they lie: a file, a TensorFlow checkpoint, an archive, or a folder with one of them."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from torch import nn

from pnasnet_torch.archive import SUFFIXES, is_archive, open_archive
from pnasnet_torch.checkpoint import Files, files_of, prefixes, read_checkpoint
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.formats import FORMATS, read_file, write_whole
from pnasnet_torch.genotype import VARIANTS, Config, aux_cell
from pnasnet_torch.hub import FILE, default_size, read_card, sha256
from pnasnet_torch.model import PNASNet
from pnasnet_torch.naming import schemes
from pnasnet_torch.weights import (
    CLASSES,
    OURS,
    TF,
    fill,
    is_count,
    outline,
    restore,
    state_of,
    store,
    stored_name,
    targets,
    variant_of,
)

log = logging.getLogger(__name__)

# Before each name where the network was wrapped for several GPUs.
PARALLEL = "module."
# Up to which side (pixels) an auxiliary head's image size is looked for.
LARGEST_SIDE = 4096


@dataclass(frozen=True)
class Stored:
    """Tensors as they are stored: where, by name, and in which format."""

    path: Path
    arrays: Mapping[str, np.ndarray]
    format: str


@dataclass(frozen=True)
class Weights:
    """Weights by the port's parameters, what they are of, and how they were stored; sizes (height, width) in pixels.
    `label_names` are those of classes that are not ImageNet's, where they are known."""

    state: Mapping[str, np.ndarray]
    variant: str
    config: Config
    image_size: tuple[int, int]
    stored: Stored
    names: str
    label_names: tuple[str, ...] = ()


def all_names() -> tuple[str, ...]:
    """The names that weights may have, of two that fit alike the more usual first."""
    return OURS, TF, *reversed(schemes())


def read_weights(path: str | Path, names: str | None = None) -> Weights:
    """The weights at `path`, under `names` or those that fit.

    Raises WeightsError if there are none, if they are not sound, or not those of PNASNet-5, each once.
    """
    stored = read_stored(Path(path))
    names = names or detect(stored.arrays, (outline(variant.config) for variant in VARIANTS.values()))
    variant, config = identify(stored.arrays, names)
    state = restore(outline(config), names, stored.arrays, f"weights in {stored.path}, under the names {names},")
    card = read_card(stored.path.parent)
    if not card or card.weights != stored.path.name:
        return Weights(state, variant, config, default_size(variant), stored, names)
    if card.label_names and len(card.label_names) != config.num_classes:
        raise WeightsError(
            f"{stored.path.with_name(FILE)} has {len(card.label_names):,} label_names, and the network "
            f"{config.num_classes:,} classes: give a name for each, or none"
        )
    return Weights(state, variant, config, card.image_size, stored, names, card.label_names)


def read_stored(path: Path) -> Stored:
    """What is stored at `path`. Raises WeightsError if it cannot be read."""
    path = locate(path)
    card = read_card(path.parent)
    if card and card.weights == path.name and path.is_file() and sha256(path) != card.sha256:
        raise WeightsError(f"{path} is not what {FILE} beside it was written for: convert again, or remove {FILE}")
    if path.suffix in FORMATS:
        stored = Stored(path, read_file(path), path.suffix)
    else:
        try:
            found = read_checkpoint(*open_checkpoint(path))
        except WeightsError as error:
            raise WeightsError(
                f"{error}. Files that are no checkpoint end in {', '.join((*FORMATS, *SUFFIXES))}"
            ) from error
        stored = Stored(path, found.variables, f"TensorFlow checkpoint {found.version}")
    if stored.arrays and all(name.startswith(PARALLEL) for name in stored.arrays):
        log.info("%s: its names are taken without %r, which a network for several GPUs has", path, PARALLEL)
        arrays = {name.removeprefix(PARALLEL): array for name, array in stored.arrays.items()}
        stored = replace(stored, arrays=arrays)
    return stored


def locate(path: Path) -> Path:
    """The path itself, or what the folder there holds. Raises WeightsError unless that is one file of weights."""
    if not path.is_dir():
        return path
    if card := read_card(path):
        return path / card.weights
    names = [file.name for file in path.iterdir()]
    found = prefixes(names) + [name for name in sorted(names) if name.endswith((*FORMATS, *SUFFIXES))]
    if len(found) != 1:
        held = f"several: {', '.join(found)}" if found else "none"
        raise WeightsError(f"the folder {path} should hold weights, and holds {held}. Give the path of one")
    return path / found[0]


def open_checkpoint(path: Path) -> tuple[Files, str]:
    """The files among which a checkpoint lies, in an archive or a folder, and its prefix there."""
    if not is_archive(path):
        folder = path.parent
        names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
        return Files(str(folder), names, lambda name: memoryview((folder / name).read_bytes())), path.name
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file")
    opened = open_archive(path)
    if len(found := prefixes(opened.names)) != 1:
        held = f"several: {', '.join(found)}. Unpack it and give one" if found else "none"
        raise WeightsError(f"{path} should hold a TensorFlow checkpoint, and holds {held}")
    return opened, found[0]


def files(path: Path) -> list[Path]:
    """The files whose content stands for what is at `path`: of a checkpoint V2 the index, which has checksums of all
    the rest."""
    if path.is_file():
        return [path]
    opened, prefix = open_checkpoint(path)
    found = files_of(opened.names, prefix)
    return [path.parent / name for name in (found[:1] if f"{prefix}.index" in found else found)]


def detect(arrays: Iterable[str], models: Iterable[nn.Module]) -> str:
    """The names that most of the stored tensors have, if they are of one of the models."""
    found, most, best = set(arrays), 0, OURS
    for names, model in product(all_names(), models):
        try:
            known = targets(model, names).keys()
        except WeightsError:  # a scheme that has no place for this model
            continue
        if len(known & found) == len(known):
            return names
        if len(known & found) > most:
            most, best = len(known & found), names
    return best


def identify(arrays: Mapping[str, np.ndarray], names: str) -> tuple[str, Config]:
    """The variant and its configuration, told by the shapes of the tensors that are stored under `names`.

    Raises WeightsError where they are of no variant.
    """
    shapes = {name: array.shape for name, array in arrays.items() if not is_count(name)}
    try:
        variant = variant_of(shapes, names)
    except WeightsError as error:
        some = ", ".join([*shapes][:3])
        raise WeightsError(f"{error}; {len(shapes):,} tensors are there: {some}...") from error
    config = VARIANTS[variant].config
    classes = _shape(shapes, config, names, CLASSES)
    config = replace(config, num_classes=classes[0] if classes else config.num_classes)
    if names not in (OURS, TF):
        return variant, config
    headed = replace(config, aux_image_size=default_size(variant))
    head = _shape(shapes, headed, names, f"aux_{aux_cell(config)}.aux_logits.Conv.weight")
    return variant, replace(config, aux_image_size=_aux_size(outline(headed), head[2:])) if head else config


def _shape(shapes: Mapping[str, tuple[int, ...]], config: Config, names: str, parameter: str) -> tuple[int, ...]:
    """The shape of a parameter, as the port has it; empty if it is not stored, or has other axes."""
    name = stored_name(outline(config), names, parameter)
    axes = targets(outline(config), names)[name].axes
    found = shapes.get(name, ())
    return tuple(found[axis] for axis in axes) if len(found) == len(axes) else ()


def _aux_size(model: PNASNet, map_size: tuple[int, ...]) -> tuple[int, int]:
    """An image size that the head with a last convolution of this size fits; the model's own if that does."""
    assert model.config.aux_image_size
    least = min(model.config.aux_image_size)
    sides = [*model.config.aux_image_size, *range(1, LARGEST_SIDE)]
    height, width = (
        next((side for side in sides if model.aux_map((side, side))[0] == wanted), least) for wanted in map_size
    )
    return height, width


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Fills `model`, whatever its configuration, from a file, a checkpoint, an archive or a folder, in its own dtype.

    Raises WeightsError, having changed nothing, if it cannot be read or does not fit exactly. Never unpickles code.
    """
    stored = read_stored(Path(path))
    names = detect(stored.arrays, [model])
    fill(model, restore(model, names, stored.arrays, f"weights in {stored.path}, under the names {names},"))


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Writes the model's state by parameter to `path`: .h5, .safetensors or .pth; whole or not at all."""
    write_whole(Path(path), store(model, OURS, state_of(model)))
