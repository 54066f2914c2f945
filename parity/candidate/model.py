"""A PyTorch model as it is judged: its layers and its variables by their official names."""

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from parity.core.layers import layer_modules
from pnasnet_torch import PNASNet
from pnasnet_torch.weights import Target, load_tf_variables, variable_targets

Variables = Mapping[str, np.ndarray]


class CandidateModel(Protocol):
    """A model in evaluation mode. `layers` are the modules that give official layers, and no others."""

    @property
    def module(self) -> nn.Module: ...

    @property
    def layers(self) -> Mapping[str, nn.Module]: ...

    @property
    def replayable(self) -> frozenset[str]:
        """Those of the layers whose module takes what feeds the official layer, so that it can be run alone."""
        ...

    def variables(self) -> Mapping[str, Tensor]:
        """Its parameters and buffers as TensorFlow's variables: by official name, views in TensorFlow's layout."""
        ...

    def load(self, variables: Variables) -> None:
        """Fills it with official variables. Raises WeightsError or NamingError unless each has its place."""
        ...

    def predict(self, images: Tensor) -> object:
        """One forward of images (N, 3, H, W), to the last layer."""
        ...

    def value(self, layer: str, output: Tensor) -> Tensor:
        """A layer's value, (N, C, H, W) or (N, C), from its module's output."""
        ...


class PortModel:
    """The port itself."""

    def __init__(self, model: PNASNet) -> None:
        self.module = model

    @cached_property
    def layers(self) -> Mapping[str, nn.Module]:
        return layer_modules(self.module)

    @property
    def replayable(self) -> frozenset[str]:
        return frozenset(self.layers)

    def variables(self) -> Mapping[str, Tensor]:
        return views(self.module.state_dict(), variable_targets(self.module))

    def load(self, variables: Variables) -> None:
        load_tf_variables(self.module, variables)

    def predict(self, images: Tensor) -> object:
        return self.module.predict(images)

    def value(self, layer: str, output: Tensor) -> Tensor:
        return output


def candidate_model(model: PNASNet | CandidateModel) -> CandidateModel:
    """The model as it is judged."""
    return PortModel(model) if isinstance(model, PNASNet) else model


def views(state: Mapping[str, Tensor], targets: Mapping[str, Target]) -> dict[str, Tensor]:
    """The port's `state` as TensorFlow's variables, as far as it has them."""
    found = {name: target for name, target in targets.items() if target.parameter in state}
    return {name: state[target.parameter].permute(*np.argsort(target.axes)) for name, target in found.items()}
