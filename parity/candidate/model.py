"""A PyTorch model as it is judged: its layers and its variables by their official names."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from parity.candidate.hooks import Enters, Leaves, hooked
from parity.core.layers import layer_modules
from pnasnet_torch import PNASNet
from pnasnet_torch.targets import Target, variable_targets
from pnasnet_torch.weights import load_tf_variables

Variables = Mapping[str, np.ndarray]


class CandidateModel(Protocol):
    """A model in evaluation mode, as what is judged is asked for its layers and weights."""

    @property
    def module(self) -> nn.Module:
        """The model itself."""
        ...

    @property
    def layers(self) -> Mapping[str, nn.Module]:
        """The modules that give official layers, and no others, by the layer's name."""
        ...

    @property
    def observable(self) -> frozenset[str]:
        """The official layers that are seen while the model runs, whatever gives them."""
        ...

    @property
    def replayable(self) -> frozenset[str]:
        """Those of the layers whose module takes what feeds the official layer, so that it can be run alone."""
        ...

    def variables(self) -> Mapping[str, Tensor]:
        """Return the parameters and buffers as TensorFlow's variables: views in its layout, by official name."""
        ...

    def load(self, variables: Variables) -> None:
        """Fill the model with official variables. Raises WeightsError or NamingError unless each has its place."""
        ...

    def predict(self, images: Tensor) -> object:
        """Run one forward of images (N, 3, H, W), to the last layer, and return what the model gives."""
        ...

    def watched(self, images: Tensor, enters: Enters, leaves: Leaves) -> AbstractContextManager[None]:
        """Call `enters` and `leaves` with each layer that gets its inputs, or gives its output, while this lasts.

        The forward is that of `images`, and records no gradients. What no module gives is seen only as it leaves.
        """
        ...

    def value(self, layer: str, output: Tensor) -> Tensor:
        """Return a layer's value, (N, C, H, W) or (N, C), from its module's output."""
        ...


class PortModel:
    """The port itself, whose modules are the official layers."""

    def __init__(self, model: PNASNet) -> None:
        self.module = model

    @cached_property
    def layers(self) -> Mapping[str, nn.Module]:
        """The port's modules that give layers, by the layer's name."""
        # Kept, as looking through all modules takes longer than to run one.
        return layer_modules(self.module)

    @property
    def observable(self) -> frozenset[str]:
        """The layers that are seen while the port runs: all of them."""
        return frozenset(self.layers)

    @property
    def replayable(self) -> frozenset[str]:
        """The layers that can be run alone: all of them."""
        return frozenset(self.layers)

    def variables(self) -> Mapping[str, Tensor]:
        """Return the port's weights as TensorFlow's variables: views in its layout, by official name."""
        return views(self.module.state_dict(), variable_targets(self.module))

    def load(self, variables: Variables) -> None:
        """Fill the port with official variables. Raises WeightsError unless each has its place."""
        load_tf_variables(self.module, variables)

    def predict(self, images: Tensor) -> object:
        """Run one forward of images (N, 3, H, W), and return the probabilities (N, classes)."""
        return self.module.predict(images)

    @contextmanager
    def watched(self, _images: Tensor, enters: Enters, leaves: Leaves) -> Iterator[None]:
        """Call `enters` and `leaves` with each layer as it runs, while this lasts."""
        # Where gradients are recorded, PyTorch holds outputs until the backward: up to 1.15 GB for Large at 331.
        with hooked(self.layers, enters, leaves), torch.inference_mode():
            yield

    def value(self, layer: str, output: Tensor) -> Tensor:
        """Return a layer's value: the very output of its module."""
        return output


def candidate_model(model: PNASNet | CandidateModel) -> CandidateModel:
    """Return a model as it is judged: the port wrapped, another one as it is."""
    return PortModel(model) if isinstance(model, PNASNet) else model


def views(state: Mapping[str, Tensor], targets: Mapping[str, Target]) -> dict[str, Tensor]:
    """Return the port's `state` as TensorFlow's variables, as far as it has them: views in its layout, by name.

    `targets` says which parameter or buffer is which variable, and how their axes lie.
    """
    variables = {}
    for name, target in targets.items():
        if target.parameter in state:
            # The axes lead from the variable to the parameter, and argsort is the inverse of that permutation.
            variables[name] = state[target.parameter].permute(*np.argsort(target.axes))
    return variables
