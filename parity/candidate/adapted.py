"""Another implementation, seen through an adapter."""

import contextlib
import importlib
import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from parity.candidate.adapter import Adapter
from parity.candidate.importing import find_object, importable
from parity.candidate.interface import NETWORK_GATES, CandidateRun
from parity.candidate.model import Variables, views
from parity.candidate.parts import CandidateParts, candidate_parts
from parity.candidate.port import Port
from parity.core.errors import InputError
from parity.core.layers import Network, port_layers
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.naming import BATCHES, NamingError
from pnasnet_torch.weights import empty_network, load_tf_variables, variable_targets


class AdaptedModel:
    """A model with its adapter, as the network `variant` is judged."""

    def __init__(self, module: nn.Module, adapter: Adapter, network: str) -> None:
        self.module = module.eval()
        self._adapter = adapter
        self._config = variant(network).config
        self._official = port_layers(network)

    @cached_property
    def layers(self) -> Mapping[str, nn.Module]:
        modules = dict(self.module.named_modules())
        paths = {layer: self._adapter.module(layer) for layer in self._official}
        return {layer: modules[path] for layer, path in paths.items() if path in modules and path}

    @property
    def replayable(self) -> frozenset[str]:
        return frozenset(layer for layer in self.layers if not self._adapter.does_more(layer))

    def _state(self) -> dict[str, Tensor]:
        """Its weights by their own names."""
        return {name: tensor for name, tensor in self.module.state_dict().items() if not name.endswith(BATCHES)}

    def variables(self) -> Mapping[str, Tensor]:
        """Those that have no official name are under their own."""
        with torch.device("meta"):
            port = PNASNet(self._config)
        state, names = self._state(), {self._adapter.names.parameter(name): name for name in port.state_dict()}
        ours = {names[name]: tensor for name, tensor in state.items() if name in names}
        extra = {name: tensor for name, tensor in state.items() if name not in names}
        return views(ours, variable_targets(port)) | extra

    def load(self, variables: Variables) -> None:
        state = self._state()
        port = empty_network(self._config, next(self.module.parameters()).dtype)
        load_tf_variables(port, variables)
        named = self._adapter.names.rename(port.state_dict())
        problems = [f"missing: {name}" for name in named if name not in state]
        problems += [f"left over: {name}" for name in state if name not in named]
        problems += [
            f"wrong shape: {name}: expected {tuple(state[name].shape)}, found {tuple(value.shape)}"
            for name, value in named.items()
            if name in state and state[name].shape != value.shape
        ]
        if problems:
            raise NamingError("the weights do not fit the candidate:\n  " + "\n  ".join(sorted(problems)))
        with torch.no_grad():
            for name, value in named.items():
                state[name].copy_(value)

    def predict(self, images: Tensor) -> object:
        return self.module(images)

    def value(self, layer: str, output: Tensor) -> Tensor:
        is_map = layer in self._adapter.vectors and output.ndim == 4 and output.shape[2:] == (1, 1)
        return output.flatten(1) if is_map else output


class Implementation:
    """A candidate: a PyTorch implementation by its adapter, from `root` where it is a checkout."""

    gates: Sequence[str] = NETWORK_GATES
    replayable = True

    def __init__(self, name: str, adapter: Adapter, root: Path | None = None) -> None:
        self.name = name
        self.adapter = adapter
        self._root = root

    def refuses(self, network: Network) -> str:
        """Why it has no such network; empty if it has."""
        variants, sizes = self.adapter.names.variants, self.adapter.sizes
        if variants and network.variant not in variants:
            return f"it has PNASNet-5 {' and '.join(variants)} alone"
        if sizes and not all(sizes[0] <= side <= sizes[1] for side in (network.height, network.width)):
            return f"it takes images of {sizes[0]} to {sizes[1]} pixels alone"
        return ""

    def unobservable(self, network: Network) -> frozenset[str]:
        """The official layers that it does not show."""
        return frozenset(layer for layer in port_layers(network.variant) if not self.adapter.module(layer))

    def make(self, network: Network, dtype: str) -> AdaptedModel:
        """Its model, the weights to be loaded. Raises InputError where it cannot be had."""
        with importable(self._root), contextlib.redirect_stdout(io.StringIO()):
            call = find_object(self.adapter.make)
            arguments = dict(self.adapter.arguments)
            arguments |= {name: find_object(spec) for name, spec in self.adapter.objects}
            if self.adapter.globals:
                home = importlib.import_module(self.adapter.make.partition(":")[0])
                vars(home).update({name: find_object(spec) for name, spec in self.adapter.globals})
            model = call(**arguments)
        if not isinstance(model, nn.Module):
            raise InputError(f"{self.adapter.make} gives {type(model).__name__}: expected a torch.nn.Module")
        for name, value in self.adapter.attributes:
            setattr(model, name, value)
        return AdaptedModel(model.to(getattr(torch, dtype)), self.adapter, network.variant)

    def open(self, network: Network, dtype: str) -> CandidateRun:
        return Port(network, dtype, self.make)

    def parts(self, network: Network) -> CandidateParts:
        # Other implementations do not take a batch of no images.
        return candidate_parts(network, self.make, images=1)._replace(unobservable=self.unobservable(network))
