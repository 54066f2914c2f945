"""The weights that a run is given, from any file, as the official network takes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from parity.core.errors import InputError
from parity.core.specification import GivenWeights
from pnasnet_torch.checkpoint import files_of
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.hub import BACKGROUND, sha256
from pnasnet_torch.source import Weights, read_weights
from pnasnet_torch.stored import Stored
from pnasnet_torch.targets import TF, targets
from pnasnet_torch.weights import outline, store
from tf_reference import checkpoint


def read_given(path: Path, which: str | None, with_tensorflow: bool = True) -> GivenWeights:
    """Return the weights at `path`, of several those that `which` says (see `pnasnet_torch.source.read_weights`).

    Without TensorFlow, the port's own reader is taken at its word, as where the port runs alone. Raise InputError where
    they cannot be read, are not whole, or are not PNASNet-5's of 1001 classes.
    """
    try:
        weights = read_weights(path, which=which)
    except WeightsError as error:
        raise InputError(str(error)) from error
    classes = weights.config.num_classes
    if classes != BACKGROUND:
        raise InputError(
            f"{path} is a network of {classes:,} classes: expected the {BACKGROUND:,} of the official one, ImageNet's "
            "and the background"
        )
    digest = sha256(*weights.stored.files())
    selection = weights.selection
    which = str(selection) if selection.key or selection.suffix else ""
    variables = official_variables(weights) if with_tensorflow else port_variables(weights)
    return GivenWeights(path, weights.variant, variables, digest, which, weights.notes)


def port_variables(weights: Weights) -> dict[str, np.ndarray]:
    """Return the weights by their variables' names, in TensorFlow's layouts, as the port reads them."""
    return store(outline(weights.config), TF, weights.state)


def official_variables(weights: Weights) -> dict[str, np.ndarray]:
    """Return the weights by their variables' names, in TensorFlow's layouts.

    Those of a TensorFlow checkpoint are read by TensorFlow itself, not by the port: what the port's reader gets wrong
    would be the same on both sides.
    """
    if weights.stored.checkpoint is None:
        return port_variables(weights)
    stored_names = {name: weights.selection.stored_name(name) for name in targets(outline(weights.config), TF)}
    with unpacked(weights.stored) as prefix:
        return checkpoint.read(prefix, stored_names)


@contextmanager
def unpacked(stored: Stored) -> Iterator[Path]:
    """Give the prefix of a stored checkpoint on the disk; that of an archive in a folder for as long as this lasts."""
    assert stored.checkpoint
    files, prefix = stored.checkpoint
    if files.folder:
        yield files.folder / prefix
        return
    with TemporaryDirectory() as folder:
        for name in files_of(files.names, prefix):
            # By its last part alone: whatever path an archive gives a file, it is written in this folder.
            (Path(folder) / Path(name).name).write_bytes(files.read(name))
        yield Path(folder) / Path(prefix).name
