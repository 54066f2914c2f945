"""Candidates that are the port in other forms and under other engines, each layer observed."""

import importlib.util
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.candidate.capture import blamed_on_candidate, to_nchw, to_nhwc
from parity.candidate.importing import others_code
from parity.candidate.interface import Candidate
from parity.candidate.model import candidate_model
from parity.candidate.parts import CandidateParts, candidate_parts
from parity.candidate.port import Make, Port, make_model
from parity.candidate.runners import (
    Runner,
    Tapped,
    start_compiled,
    start_eager,
    start_exported,
    start_onnxruntime,
    start_openvino,
    try_compiler,
)
from parity.core.errors import InputError
from parity.core.layers import Network, layer_modules, port_layers
from parity.core.pinning import SIDE_THREADS, Pins
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.inference import inference_form


def _as_it_is(model: PNASNet) -> PNASNet:
    """Return the model itself, in no other form."""
    return model


def _channels_last(model: PNASNet) -> PNASNet:
    """Return the model with its weights in the memory format channels_last."""
    changed: PNASNet = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return changed


@dataclass(frozen=True)
class Engine:
    """A way to run the port: `start` makes a runner from the filled model in its `form`, for images like those given.

    The `packages` that it takes have to be installed; what else it takes shows when it is `tried`. One that `follows`
    the model takes the weights that are loaded into it later. Whatever it folds, fuses or compiles, it is judged with
    integers too: they round nowhere in whatever order they are added, and a batch norm's scale is a power of 2 wherever
    it is put (parity.core.integers).
    """

    start: Callable[[Tapped, Tensor, int], Runner] = start_eager
    form: Callable[[PNASNet], PNASNet] = _as_it_is
    packages: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32", "float64")
    follows: bool = False
    tried: Callable[[], object] = lambda: None


ENGINES = {
    "channels_last": Engine(form=_channels_last),
    "inference": Engine(form=inference_form),
    "compile": Engine(start_compiled, follows=True, tried=try_compiler),
    "export": Engine(start_exported),
    "onnxruntime": Engine(start_onnxruntime, packages=("onnx", "onnxscript", "onnxruntime"), dtypes=("float32",)),
    "openvino": Engine(start_openvino, packages=("onnx", "onnxscript", "openvino"), dtypes=("float32",)),
}


class EngineCandidate(Candidate):
    """A candidate: the port under an engine, which is asked for every layer that its form of the port has."""

    def __init__(self, name: str) -> None:
        """Raise InputError where a package that the engine takes is not installed."""
        self.name = name
        self.engine = ENGINES[name]
        missing = [package for package in self.engine.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise InputError(f"{name} needs {', '.join(missing)}: python -m pip install {' '.join(missing)}")
        # The gates on values, in the order of core.policy: the layers and variables are the port's, whatever runs them.
        exact_gates = [f"exact-{dtype}" for dtype in self.engine.dtypes]
        self.gates = (*exact_gates, *sorted(self.engine.dtypes, reverse=True))
        # Starting takes minutes, so runners of models that take other weights are kept, by what they were started for.
        self.started: dict[tuple[Network, str, tuple[str, ...]], tuple[PNASNet, Runner]] = {}

    def examine(self, _networks: Iterable[Network]) -> None:
        """Raise InputError where what the engine takes is there and does not work."""
        pins = Pins()
        for package in self.engine.packages:
            with others_code(f"importing {package}", pins):
                importlib.import_module(package)
        with others_code(f"{self.name}, tried on an addition,", pins):
            self.engine.tried()

    def unobservable(self, network: Network) -> frozenset[str]:
        """Return the layers that the engine's form of the port folds into others."""
        # The layers of a form show when it is made, which on the meta device takes neither weights nor memory.
        with torch.device("meta"):
            form = self.engine.form(PNASNet(variant(network.variant).config).eval())
        return frozenset(port_layers(network.variant)) - layer_modules(form).keys()

    def open(self, network: Network, dtype: str, make: Make = make_model) -> "EngineRun":
        """Return one network under the engine in one dtype; `make` makes the port that it is made of."""
        return EngineRun(self, network, dtype, make)

    def parts(self, network: Network) -> CandidateParts:
        """Return the layers and variables of the port, with their shapes and dtypes."""
        return candidate_parts(network)


class EngineRun(Port):
    """One network under an engine in one dtype."""

    def __init__(self, candidate: EngineCandidate, network: Network, dtype: str, make: Make) -> None:
        super().__init__(network, dtype, make)
        self._candidate = candidate

    def run(self, images_nhwc: np.ndarray, layers: frozenset[str], report: Callable[[str, np.ndarray], None]) -> None:
        """Call `report` with each of `layers` (NHWC), all computed at once. Raises CandidateError for what the engine
        raises, starting or running."""
        model = candidate_model(self.model).module
        names = tuple(name for name in port_layers(self.network.variant) if name in layers)
        images = to_nchw(images_nhwc, getattr(torch, self.dtype))
        # Exporters and compilers warn of their own insides.
        with blamed_on_candidate(), warnings.catch_warnings(action="ignore"), torch.no_grad():
            outputs = self._outputs(model, names, images)
        for name in names:
            # Taken out, so that a layer's memory is free once it was judged.
            report(name, to_nhwc(outputs.pop(name)))

    def _outputs(self, model: Any, names: tuple[str, ...], images: Tensor) -> dict[str, Tensor]:
        """Return each layer's output, (N, C, H, W) or (N, C), by name."""
        runner = self._runner(model, names, images)
        # Strictly: an engine that gives fewer layers than it was asked for must not pass in those that it gives.
        return dict(zip(names, runner(images), strict=True))

    def _runner(self, model: Any, names: tuple[str, ...], images: Tensor) -> Runner:
        """Return what runs the model: started anew, or, where it was and follows its model, with these weights."""
        engine = self._candidate.engine
        started = self._candidate.started
        key = (self.network, self.dtype, names)
        if key in started:
            followed, runner = started[key]
            followed.load_state_dict(model.state_dict())
            return runner
        tapped = Tapped(engine.form(model), names).eval()
        runner = engine.start(tapped, images, SIDE_THREADS)
        if engine.follows:
            started[key] = model, runner
        return runner
