"""A model of another implementation, seen through an adapter."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor, nn

from parity.candidate.adapter import ALIGNED, Adapter
from parity.candidate.alignment.recording import Recorder
from parity.candidate.hooks import Enters, Leaves, hooked
from parity.candidate.model import Variables, views
from parity.core.layers import port_layers
from parity.core.pinning import Pins
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.naming import BATCHES, NamingError
from pnasnet_torch.targets import variable_targets
from pnasnet_torch.weights import empty_network, load_tf_variables


class AdaptedModel:
    """A model of another implementation with its adapter, as the variant `variant_name` (large, mobile) is judged.

    The `pins` are held while it runs.
    """

    def __init__(self, module: nn.Module, adapter: Adapter, variant_name: str, pins: Pins) -> None:
        self.module = module
        self._adapter = adapter
        self._pins = pins
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

    @cached_property
    def _functions(self) -> Mapping[str, list[str]]:
        """The layers that operations give which are no module's, by the operation's site.

        They are several where the model computes once what the official network computes again.
        """
        functions: dict[str, list[str]] = {}
        for layer in self._official_layers:
            site = self._adapter.function(layer)
            if site:
                functions.setdefault(site, []).append(layer)
        return functions

    @property
    def observable(self) -> frozenset[str]:
        """The layers that are seen while the model runs."""
        return frozenset(self.layers).union(*self._functions.values())

    @property
    def replayable(self) -> frozenset[str]:
        """The layers that can be run alone: their module does no more than the official layer."""
        return frozenset(layer for layer in self.layers if not self._adapter.does_more(layer))

    def _state(self) -> dict[str, Tensor]:
        """Return the model's parameters and buffers that are layers', by their own names.

        Without the counts that slim does not have.
        """
        state = self.module.state_dict()
        return {name: state[name] for name in state if not self._adapter.keeps(name) and not name.endswith(BATCHES)}

    def variables(self) -> Mapping[str, Tensor]:
        """Return the model's weights by official name, as views in TensorFlow's layout.

        Those that have no official name are under their own, so that the structure gate tells of them.
        """
        # Names and layouts are all that is needed of the port, and on the meta device it takes no memory.
        with torch.device("meta"):
            port = PNASNet(self._config)
        shapes = port.state_dict()
        port_names = {self._adapter.names.parameter(name): name for name in shapes}
        port_state = {}
        without_official_name = {}
        for name, tensor in self._state().items():
            if name in port_names:
                parameter = port_names[name]
                fitted = _fitted(tensor, shapes[parameter].shape)
                port_state[parameter] = tensor if fitted is None else fitted
            else:
                without_official_name[name] = tensor
        return views(port_state, variable_targets(port)) | without_official_name

    def load(self, variables: Variables) -> None:
        """Fill the model with official variables.

        Raises WeightsError where they are not those of the network, and NamingError, listing all, where the model has
        no place of their shape for one of them, or has weights that none of them fills. Where nobody said which weights
        are which, those that fit are filled, and the structure gate tells of the others.
        """
        state = self._state()
        # By way of a port, which checks the variables, turns their axes and rounds them to the model's dtype.
        port = empty_network(self._config, next(self.module.parameters()).dtype)
        load_tf_variables(port, variables)
        is_found = self._adapter.names.name == ALIGNED
        official_state = self._placed(port.state_dict()) if is_found else self._adapter.names.rename(port.state_dict())
        problems = [f"left over: {name}" for name in state if name not in official_state]
        for name, value in official_state.items():
            if name not in state:
                problems.append(f"missing: {name}")
            elif _fitted(value, state[name].shape) is None:
                expected = tuple(state[name].shape)
                problems.append(f"wrong shape: {name}: expected {expected}, found {tuple(value.shape)}")
        # Before anything is changed: copy_ would also broadcast a value of another shape.
        if problems and not is_found:
            raise NamingError("the weights do not fit the candidate:\n  " + "\n  ".join(sorted(problems)))
        with torch.no_grad():
            for name, value in official_state.items():
                fitted = _fitted(value, state[name].shape) if name in state else None
                if fitted is not None:
                    state[name].copy_(fitted)

    def _placed(self, port_state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return those of the port's weights that have a place in the model, by its names."""
        placed = {self._adapter.names.parameter(name): value for name, value in port_state.items()}
        placed.pop("", None)
        return placed

    def predict(self, images: Tensor) -> object:
        """Run one forward of images (N, 3, H, W), and return what the model gives."""
        run = getattr(self.module, self._adapter.method)
        with self._pins.held():
            return run(images)

    @contextmanager
    def watched(self, images: Tensor, enters: Enters, leaves: Leaves) -> Iterator[None]:
        """Call `enters` and `leaves` with each layer that gets its inputs, or gives its output, while this lasts.

        What a function gives, in the forward of `images` (N, 3, H, W), is seen only as it leaves.
        """
        with hooked(self.layers, enters, leaves):
            if not self._functions:
                with torch.inference_mode():
                    yield
                return

            def report(site: str, output: Tensor) -> None:
                """Tell of an operation that is a layer."""
                for layer in self._functions.get(site, ()):
                    leaves(layer, output)

            with Recorder(self.module, images, report).recording():
                yield

    def value(self, layer: str, output: Tensor) -> Tensor:
        """Return a layer's value, (N, C, H, W) or (N, C), from its module's output.

        A map of one pixel becomes a vector where the adapter says that the official layer is one.
        """
        is_map_of_one_pixel = output.ndim == 4 and output.shape[2:] == (1, 1)
        if layer in self._adapter.vectors and is_map_of_one_pixel:
            return output.flatten(1)
        return output


def _fitted(values: Tensor, shape: torch.Size) -> Tensor | None:
    """Return a weight in the shape that it has elsewhere; None where that is of another layer.

    A dense layer may be a convolution there, of one pixel, or have its inputs in front of its outputs.
    """
    if _without_ones(values.shape) == _without_ones(shape):
        return values.reshape(shape)
    if values.ndim == 2 and values.T.shape == shape:
        return values.T
    return None


def _without_ones(shape: torch.Size) -> tuple[int, ...]:
    """Return a shape without the last axes that are of one value."""
    sides = list(shape)
    while sides and sides[-1] == 1:
        sides.pop()
    return tuple(sides)
