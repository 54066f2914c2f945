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
    """A model of another implementation with its adapter, as the variant `variant_name` (large, mobile) is judged."""

    def __init__(self, module: nn.Module, adapter: Adapter, variant_name: str) -> None:
        self.module = module.eval()
        self._adapter = adapter
        self._config = variant(variant_name).config
        self._official_layers = port_layers(variant_name)

    @cached_property
    def layers(self) -> Mapping[str, nn.Module]:
        """The modules that give official layers, by the layer's name."""
        modules = dict(self.module.named_modules())
        layers = {}
        for layer in self._official_layers:
            path = self._adapter.module(layer)
            # An empty path says that no module gives the layer, and is what PyTorch calls the whole model.
            if path and path in modules:
                layers[layer] = modules[path]
        return layers

    @property
    def replayable(self) -> frozenset[str]:
        """The layers that can be run alone: their module does no more than the official layer."""
        return frozenset(layer for layer in self.layers if not self._adapter.does_more(layer))

    def _state(self) -> dict[str, Tensor]:
        """Return the model's parameters and buffers by their own names, without the counts that slim does not have."""
        return {name: tensor for name, tensor in self.module.state_dict().items() if not name.endswith(BATCHES)}

    def variables(self) -> Mapping[str, Tensor]:
        """Return the model's weights by official name, as views in TensorFlow's layout.

        Those that have no official name are under their own, so that the structure gate tells of them.
        """
        # Names and layouts are all that is needed of the port, and on the meta device it takes no memory.
        with torch.device("meta"):
            port = PNASNet(self._config)
        port_names = {self._adapter.names.parameter(name): name for name in port.state_dict()}
        port_state = {}
        without_official_name = {}
        for name, tensor in self._state().items():
            if name in port_names:
                port_state[port_names[name]] = tensor
            else:
                without_official_name[name] = tensor
        return views(port_state, variable_targets(port)) | without_official_name

    def load(self, variables: Variables) -> None:
        """Fill the model with official variables.

        Raises WeightsError where they are not those of the network, and NamingError, listing all, where the model has
        no place of their shape for one of them, or has weights that none of them fills.
        """
        state = self._state()
        # By way of a port, which checks the variables, turns their axes and rounds them to the model's dtype.
        port = empty_network(self._config, next(self.module.parameters()).dtype)
        load_tf_variables(port, variables)
        official_state = self._adapter.names.rename(port.state_dict())
        problems = [f"left over: {name}" for name in state if name not in official_state]
        for name, value in official_state.items():
            if name not in state:
                problems.append(f"missing: {name}")
            elif state[name].shape != value.shape:
                expected = tuple(state[name].shape)
                problems.append(f"wrong shape: {name}: expected {expected}, found {tuple(value.shape)}")
        # Before anything is changed: copy_ would also broadcast a value of another shape.
        if problems:
            raise NamingError("the weights do not fit the candidate:\n  " + "\n  ".join(sorted(problems)))
        with torch.no_grad():
            for name, value in official_state.items():
                state[name].copy_(value)

    def predict(self, images: Tensor) -> object:
        """Run one forward of images (N, 3, H, W), and return what the model gives."""
        return self.module(images)

    def value(self, layer: str, output: Tensor) -> Tensor:
        """Return a layer's value, (N, C, H, W) or (N, C), from its module's output.

        A map of one pixel becomes a vector where the adapter says that the official layer is one.
        """
        is_map_of_one_pixel = output.ndim == 4 and output.shape[2:] == (1, 1)
        if layer in self._adapter.vectors and is_map_of_one_pixel:
            return output.flatten(1)
        return output


class Implementation:
    """A candidate: a PyTorch implementation by its adapter, from the folder `root` where it is a checkout."""

    gates: Sequence[str] = NETWORK_GATES
    replayable = True

    def __init__(self, name: str, adapter: Adapter, root: Path | None = None) -> None:
        self.name = name
        self.adapter = adapter
        self._root = root

    def refuses(self, network: Network) -> str:
        """Return why the implementation has no such network; empty if it has."""
        variants = self.adapter.names.variants
        if variants and network.variant not in variants:
            return f"it has PNASNet-5 {' and '.join(variants)} alone"
        sizes = self.adapter.sizes
        if sizes and (min(network.height, network.width) < sizes[0] or max(network.height, network.width) > sizes[1]):
            return f"it takes images of {sizes[0]} to {sizes[1]} pixels alone"
        return ""

    def unobservable(self, network: Network) -> frozenset[str]:
        """Return the official layers that no module of the implementation gives."""
        return frozenset(layer for layer in port_layers(network.variant) if not self.adapter.module(layer))

    def make(self, network: Network, dtype: str) -> AdaptedModel:
        """Return the implementation's model in `dtype`, whose weights are to be loaded.

        Raises InputError where it cannot be had.
        """
        # What an implementation prints while it is built is no part of what a run says.
        with importable(self._root), contextlib.redirect_stdout(io.StringIO()):
            function = find_object(self.adapter.make)
            arguments = dict(self.adapter.arguments)
            for name, spec in self.adapter.objects:
                arguments[name] = find_object(spec)
            if self.adapter.globals:
                home = importlib.import_module(self.adapter.make.partition(":")[0])
                for name, spec in self.adapter.globals:
                    setattr(home, name, find_object(spec))
            # Within the checkout's modules, as a function may import some more of them when it is called.
            model = function(**arguments)
        if not isinstance(model, nn.Module):
            raise InputError(f"{self.adapter.make} gives {type(model).__name__}: expected a torch.nn.Module")
        for name, value in self.adapter.attributes:
            setattr(model, name, value)
        return AdaptedModel(model.to(getattr(torch, dtype)), self.adapter, network.variant)

    def open(self, network: Network, dtype: str) -> CandidateRun:
        """Return one network of the implementation in one dtype, to be filled and run."""
        return Port(network, dtype, self.make)

    def parts(self, network: Network) -> CandidateParts:
        """Return the layers and variables that the implementation has, with their shapes and dtypes."""
        # Other implementations do not take a batch of no images.
        parts = candidate_parts(network, self.make, images=1)
        return parts._replace(unobservable=self.unobservable(network))
