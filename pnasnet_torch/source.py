"""Weights from wherever they lie: read, told what they are of, and their tensors by the port's parameters."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from pnasnet_torch.errors import WeightsError
from pnasnet_torch.formats import write_whole
from pnasnet_torch.genotype import VARIANTS, Config
from pnasnet_torch.hub import FILE, default_size, read_card
from pnasnet_torch.identify import identify
from pnasnet_torch.selection import Selection, select, surplus
from pnasnet_torch.stored import Stored, read_stored
from pnasnet_torch.targets import OURS, targets
from pnasnet_torch.weights import fill, outline, restore, state_of, store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Weights:
    """Weights by the port's parameters, what they are of, and how they were stored; sizes (height, width) in pixels.

    `selection` says which of the stored tensors they are, and `notes` what is not plain about that, a sentence each.
    `label_names` are those of classes that are not ImageNet's, where they are known.
    """

    state: Mapping[str, np.ndarray]
    variant: str
    config: Config
    image_size: tuple[int, int]
    stored: Stored
    selection: Selection
    notes: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()


def read_weights(path: str | Path, names: str | None = None, which: str | None = None) -> Weights:
    """Return the weights at `path`, under `names` or those that fit.

    `which` chooses where a file has several: `raw` (the default), `average`, or the key that leads to them. Raise
    WeightsError if there are none, if they are not sound, or not those of PNASNet-5, each once.
    """
    stored = read_stored(Path(path))
    models = [outline(variant.config) for variant in VARIANTS.values()]
    selection = select(str(path), stored.states, models, names, which)
    arrays = _named(stored, selection)
    variant, config = identify(arrays, selection.names)
    state, notes = _take(outline(config), stored, selection)
    image_size, label_names = _described(stored.path, variant, config)
    return Weights(state, variant, config, image_size, stored, selection, notes, label_names)


def _named(stored: Stored, selection: Selection) -> dict[str, np.ndarray]:
    """Return the tensors that stand where the selection says, by their names in its naming scheme."""
    arrays: dict[str, np.ndarray] = {}
    for stored_name, array in stored.states[selection.key].arrays.items():
        if stored_name.startswith(selection.prefix) and stored_name.endswith(selection.suffix):
            name = stored_name.removeprefix(selection.prefix).removesuffix(selection.suffix)
            arrays[name] = array
    return arrays


def _take(model: nn.Module, stored: Stored, selection: Selection) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return the selected tensors by the parameter of `model` that each fills, and notes. Raise as `read_weights`."""
    state = stored.states[selection.key]
    names = targets(model, selection.names)
    taken: dict[str, np.ndarray] = {}
    for name in names:
        stored_name = selection.stored_name(name)
        if stored_name in state.others:
            kind = state.others[stored_name]
            raise WeightsError(f"{stored.path}: {name} is {kind}: expected float16, float32 or float64")
        if stored_name in state.arrays:
            taken[name] = state.arrays[stored_name]
    left_aside, unknown = surplus(selection, state, names)
    # With what is left over, so that it is told beside what is missing: it may be the same under another name.
    taken |= {name: state.arrays[name] for name in unknown}
    what = f"weights in {stored.path}, under the names {selection.names},"
    parameters = restore(model, selection.names, taken, what)
    return parameters, (*stored.notes, *_notes(stored, selection, left_aside))


def _notes(stored: Stored, selection: Selection, left_aside: str) -> list[str]:
    """Return a sentence for each thing that is not plain about which tensors are taken."""
    notes = []
    if selection.key:
        notes.append(f"{stored.path}: the weights called {selection.key} are taken")
    if selection.prefix:
        notes.append(f"{stored.path}: the names are taken without {selection.prefix!r} before each")
    if selection.suffix:
        notes.append(f"{stored.path}: the averages are taken")
    if left_aside:
        notes.append(f"{stored.path}: left aside are {left_aside}")
    return notes


def _described(path: Path, variant: str, config: Config) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Return the image size (height, width) and the classes' names that config.json beside `path` has for it.

    Without one they are the variant's own size and no names. Raise WeightsError where the names are not as many as the
    classes.
    """
    card = read_card(path.parent)
    # Of several files in a folder, config.json speaks of one.
    if not card or card.weights != path.name:
        return default_size(variant), ()
    if card.label_names and len(card.label_names) != config.num_classes:
        raise WeightsError(
            f"{path.with_name(FILE)} has {len(card.label_names):,} label_names, and the network "
            f"{config.num_classes:,} classes: give a name for each, or none"
        )
    return card.image_size, card.label_names


def load_weights(model: nn.Module, path: str | Path, which: str | None = None) -> None:
    """Fill `model`, whatever its configuration, from a file, a checkpoint, an archive or a folder, in its own dtype.

    `which` is as in `read_weights`. Raise WeightsError, having changed nothing, if it cannot be read or does not fit
    exactly. Never unpickle code.
    """
    stored = read_stored(Path(path))
    selection = select(str(path), stored.states, [model], None, which)
    state, notes = _take(model, stored, selection)
    for note in notes:
        log.info(note)
    fill(model, state)


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write the model's state by parameter to `path`: .h5, .safetensors or .pth; whole or not at all."""
    write_whole(Path(path), store(model, OURS, state_of(model)))
