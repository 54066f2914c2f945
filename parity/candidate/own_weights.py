"""The weights that a candidate comes with: from its function, or a file; and the class that many leave out."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from parity.candidate.model import CandidateModel, Variables
from parity.candidate.port import Make, Port
from parity.core.errors import InputError
from parity.core.layers import Network
from parity.core.specification import OWN, REFERENCE
from parity.core.words import few
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.naming import BATCHES, Scheme
from pnasnet_torch.state import Arrays
from pnasnet_torch.stored import read_stored
from pnasnet_torch.targets import CLASSES

BIAS = CLASSES.replace("weight", "bias")
# The official variables that have a value for each class, which is their last axis.
OF_CLASSES = ("final_layer/FC/weights", "final_layer/FC/biases")


def fill_from_file(model: nn.Module, path: Path) -> None:
    """Fill a model with the weights in a file, which have the model's own names, whatever stands before all of them.

    Raises InputError where it cannot be read, or where a weight is not there, or of another shape.
    """
    try:
        states = read_stored(path).states
    except WeightsError as error:
        raise InputError(str(error)) from error
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.endswith(BATCHES)}
    candidates = [arrays for stored in states.values() for arrays in _without_prefix(stored.arrays, next(iter(state)))]
    if not candidates:
        held = few([name for stored in states.values() for name in stored.arrays]) or "nothing"
        raise InputError(
            f"{path} has no {next(iter(state))}, as the model calls its first weight, but {held}: expected weights "
            "under the model's own names"
        )
    arrays = min(candidates, key=lambda arrays: len(state.keys() - arrays.keys()))
    problems = [f"missing: {name}" for name in state if name not in arrays]
    for name, tensor in state.items():
        if name in arrays and arrays[name].shape != tuple(tensor.shape):
            problems.append(f"wrong shape: {name}: expected {tuple(tensor.shape)}, found {arrays[name].shape}")
    if problems:
        raise InputError(f"{path} does not fit the model ({len(problems):,} problems): {few(problems)}")
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(torch.from_numpy(np.require(arrays[name], requirements="W")))


def _without_prefix(arrays: Arrays, first: str) -> Iterator[Arrays]:
    """Yield what is stored by its names without what stands before the one that is, or ends with, `first`."""
    for name in arrays:
        prefix = name.removesuffix(first)
        if name.endswith(first) and (not prefix or prefix[-1] == "."):
            yield {stored.removeprefix(prefix): array for stored, array in arrays.items() if stored.startswith(prefix)}


def add_background(model: nn.Module, names: Scheme, classes: int) -> bool:
    """Add the background, class 0, to a model of all other of so many `classes`; return whether it was to be added.

    The last layer then gives its own classes behind that one. The new weights are zero.
    """
    changed = False
    for parameter in (CLASSES, BIAS):
        path, _, last = names.parameter(parameter).rpartition(".")
        try:
            owner = model.get_submodule(path)
            values = getattr(owner, last)
        except AttributeError:  # where there is no such weight, that is found when it is to be filled
            continue
        if len(values) == classes - 1:
            wider = torch.cat([torch.zeros_like(values[:1]), values.detach()])
            setattr(owner, last, nn.Parameter(wider, requires_grad=values.requires_grad))
            changed = True
    return changed


class OwnWeights:
    """The weights that a candidate keeps, of one variant: those that its function gives, or those in a `file`.

    `said` is what they were found to be, once they were beside the official ones.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.said = ""
        # In official layouts, by official name.
        self._variables: Variables = {}

    def take(self, model: CandidateModel, background_was_added: bool) -> None:
        """Take what a model comes with for the candidate's weights, unless they are known already."""
        if not self._variables:
            self._variables = own_variables(model, background_was_added)

    def beside(self, official: Variables) -> Variables:
        """Return the official variables with the candidate's own values, and note how these differ."""
        own = with_background(self._variables, official)
        if not self.said:
            self.said = difference(own, official)
        return {name: own.get(name, array) for name, array in official.items()}


def own_weights_of(choice: str) -> OwnWeights | None:
    """Return the weights that a candidate keeps by what `--candidate-weights` says; None for the reference's.

    Raises InputError for a file that is not there.
    """
    if choice == REFERENCE:
        return None
    if choice == OWN:
        return OwnWeights(None)
    if not Path(choice).exists():
        raise InputError(f"{choice}: there is no such file: expected {REFERENCE}, {OWN}, or the path of weights")
    return OwnWeights(Path(choice))


class OwnWeightsPort(Port):
    """One network of a candidate in one dtype that keeps its `own` weights."""

    def __init__(self, network: Network, dtype: str, make: Make, own: OwnWeights) -> None:
        super().__init__(network, dtype, make)
        self._own = own

    def load(self, variables: Variables) -> None:
        """Keep the candidate's own weights: whether they are the official ones is the question."""
        super().load(self._own.beside(variables))

    def load_exact(self, variables: Variables) -> None:
        """Take the integer network's variables, by which the candidate's operations are judged."""
        super().load(variables)


def own_variables(model: CandidateModel, background_was_added: bool) -> dict[str, np.ndarray]:
    """Return the weights that a model comes with, by official name and in official layouts."""
    own = {}
    for name, tensor in model.variables().items():
        array = tensor.detach().numpy().copy()
        own[name] = array[..., 1:] if background_was_added and name in OF_CLASSES else array
    return own


def with_background(own: Variables, official: Variables) -> dict[str, np.ndarray]:
    """Return a model's own weights, with the official ones of the background where it lacks that class."""
    whole = dict(own)
    for name in OF_CLASSES:
        if name in own and name in official and own[name].shape[-1] == official[name].shape[-1] - 1:
            whole[name] = np.concatenate([official[name][..., :1].astype(own[name].dtype), own[name]], axis=-1)
    return whole


def difference(own: Variables, official: Mapping[str, np.ndarray]) -> str:
    """Return in words which of a candidate's own weights are not the official ones."""
    differing = []
    for name, array in official.items():
        if name not in own:
            differing.append(f"{name} (it has none)")
        elif own[name].shape != array.shape:
            differing.append(f"{name} (shape {own[name].shape}, not {array.shape})")
        else:
            count = np.count_nonzero(own[name] != array)
            if count:
                differing.append(f"{name} ({count:,} of {array.size:,} values)")
    if not differing:
        return f"all {len(official):,} tensors are the official ones, bit by bit"
    return f"{len(differing):,} of {len(official):,} tensors differ: {few(differing)}"
