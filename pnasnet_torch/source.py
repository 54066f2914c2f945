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

# What stands before each name where the network was wrapped for several GPUs.
PARALLEL = "module."
# The side (pixels) up to which an auxiliary head's image size is looked for.
LARGEST_SIDE = 4096


@dataclass(frozen=True)
class Stored:
    """Tensors as they are stored: where they lie, by name, and in which format."""

    path: Path
    arrays: Mapping[str, np.ndarray]
    format: str


@dataclass(frozen=True)
class Weights:
    """Weights by the port's parameters, what they are of, and how they were stored; sizes (height, width) in pixels.

    `label_names` are those of classes that are not ImageNet's, where they are known.
    """

    state: Mapping[str, np.ndarray]
    variant: str
    config: Config
    image_size: tuple[int, int]
    stored: Stored
    names: str
    label_names: tuple[str, ...] = ()


def all_names() -> tuple[str, ...]:
    """Return the names that weights may have, of two that fit alike the more usual first."""
    # Sorted, timm's come last, and they are the more usual ones.
    return OURS, TF, *reversed(schemes())


def read_weights(path: str | Path, names: str | None = None) -> Weights:
    """Return the weights at `path`, under `names` or those that fit.

    Raise WeightsError if there are none, if they are not sound, or not those of PNASNet-5, each once.
    """
    stored = read_stored(Path(path))
    if not names:
        models = [outline(variant.config) for variant in VARIANTS.values()]
        names = detect(stored.arrays, models)
    variant, config = identify(stored.arrays, names)
    state = restore(outline(config), names, stored.arrays, f"weights in {stored.path}, under the names {names},")
    card = read_card(stored.path.parent)
    # Of several files in a folder, config.json speaks of one.
    if not card or card.weights != stored.path.name:
        return Weights(state, variant, config, default_size(variant), stored, names)
    if card.label_names and len(card.label_names) != config.num_classes:
        raise WeightsError(
            f"{stored.path.with_name(FILE)} has {len(card.label_names):,} label_names, and the network "
            f"{config.num_classes:,} classes: give a name for each, or none"
        )
    return Weights(state, variant, config, card.image_size, stored, names, card.label_names)


def read_stored(path: Path) -> Stored:
    """Return what is stored at `path`. Raise WeightsError if it cannot be read, or is not what config.json says."""
    path = locate(path)
    card = read_card(path.parent)
    if card and card.weights == path.name and path.is_file() and sha256(path) != card.sha256:
        raise WeightsError(f"{path} is not what {FILE} beside it was written for: convert again, or remove {FILE}")
    if path.suffix in FORMATS:
        stored = Stored(path, read_file(path), path.suffix)
    else:
        try:
            checkpoint = read_checkpoint(*open_checkpoint(path))
        except WeightsError as error:
            raise WeightsError(
                f"{error}. Files that are no checkpoint end in {', '.join((*FORMATS, *SUFFIXES))}"
            ) from error
        stored = Stored(path, checkpoint.variables, f"TensorFlow checkpoint {checkpoint.version}")
    if stored.arrays and all(name.startswith(PARALLEL) for name in stored.arrays):
        log.info("%s: its names are taken without %r, which a network for several GPUs has", path, PARALLEL)
        arrays = {name.removeprefix(PARALLEL): array for name, array in stored.arrays.items()}
        stored = replace(stored, arrays=arrays)
    return stored


def locate(path: Path) -> Path:
    """Return the path itself, or that of what the folder there holds.

    Raise WeightsError unless the folder holds one file of weights, or says which one it is in config.json.
    """
    if not path.is_dir():
        return path
    card = read_card(path)
    if card:
        return path / card.weights
    names = sorted(file.name for file in path.iterdir())
    files_and_archives = [name for name in names if name.endswith((*FORMATS, *SUFFIXES))]
    weights = prefixes(names) + files_and_archives
    if len(weights) != 1:
        held = f"several: {', '.join(weights)}" if weights else "none"
        raise WeightsError(f"the folder {path} should hold weights, and holds {held}. Give the path of one")
    return path / weights[0]


def open_checkpoint(path: Path) -> tuple[Files, str]:
    """Return the files among which a checkpoint lies, in an archive or a folder, and its prefix there.

    Raise WeightsError for an archive that is not there, is not sound, or does not hold one checkpoint.
    """
    if not is_archive(path):
        folder = path.parent
        # A folder that is not there is one without the checkpoint, which its reader says.
        names = []
        if folder.is_dir():
            names = [file.name for file in folder.iterdir()]
        return Files(str(folder), names, lambda name: memoryview((folder / name).read_bytes())), path.name
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file")
    archive = open_archive(path)
    checkpoints = prefixes(archive.names)
    if len(checkpoints) != 1:
        held = f"several: {', '.join(checkpoints)}. Unpack it and give one" if checkpoints else "none"
        raise WeightsError(f"{path} should hold a TensorFlow checkpoint, and holds {held}")
    return archive, checkpoints[0]


def files(path: Path) -> list[Path]:
    """Return the files whose content stands for what is at `path`."""
    if path.is_file():
        return [path]
    folder, prefix = open_checkpoint(path)
    names = files_of(folder.names, prefix)
    # Of a checkpoint V2 the index, which comes first, is enough: it has checksums of all the rest.
    if f"{prefix}.index" in names:
        names = names[:1]
    return [path.parent / name for name in names]


def detect(arrays: Iterable[str], models: Iterable[nn.Module]) -> str:
    """Return the names that most of the tensors stored as `arrays` have, if they are of one of the models."""
    stored_names = set(arrays)
    most = 0
    best = OURS
    for names, model in product(all_names(), models):
        try:
            known = targets(model, names).keys()
        except WeightsError:  # a scheme that has no place for this model
            continue
        matches = len(known & stored_names)
        if matches == len(known):
            return names
        # The nearest names are returned in the end, so that a message can list what is missing and what is left over.
        if matches > most:
            most = matches
            best = names
    return best


def identify(arrays: Mapping[str, np.ndarray], names: str) -> tuple[str, Config]:
    """Return the variant and its configuration, told by the shapes of the tensors that are stored under `names`.

    Raise WeightsError where they are of no variant.
    """
    shapes = {name: array.shape for name, array in arrays.items() if not is_count(name)}
    try:
        variant = variant_of(shapes, names)
    except WeightsError as error:
        some = ", ".join(list(shapes)[:3])
        raise WeightsError(f"{error}; {len(shapes):,} tensors are there: {some}...") from error
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


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Fill `model`, whatever its configuration, from a file, a checkpoint, an archive or a folder, in its own dtype.

    Raise WeightsError, having changed nothing, if it cannot be read or does not fit exactly. Never unpickle code.
    """
    stored = read_stored(Path(path))
    names = detect(stored.arrays, [model])
    fill(model, restore(model, names, stored.arrays, f"weights in {stored.path}, under the names {names},"))


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write the model's state by parameter to `path`: .h5, .safetensors or .pth; whole or not at all."""
    write_whole(Path(path), store(model, OURS, state_of(model)))
