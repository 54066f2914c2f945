"""The port in other forms and under other engines: one function of the images that gives every layer."""

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from parity.candidate.capture import CandidateError, to_nchw, to_nhwc
from parity.candidate.model import candidate_model
from parity.candidate.parts import CandidateParts, candidate_parts
from parity.candidate.port import Make, Port, make_model
from parity.core.errors import InputError
from parity.core.layers import Network, layer_modules, port_layers
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.inference import inference_form
from pnasnet_torch.traced import Traced

# Images (N, 3, H, W) to the layers that were asked for, in their order, (N, C, H, W) or (N, C).
Runner = Callable[[Tensor], Sequence[Tensor]]


class Tapped(nn.Module):
    """The port as one function that gives `layers`."""

    def __init__(self, model: PNASNet, layers: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        # Not an attribute: exporters would take its values for the module's state.
        outputs: dict[str, Tensor] = {}
        modules = layer_modules(model)
        for name in layers:
            modules[name].register_forward_hook(
                lambda _module, _inputs, output, name=name: outputs.update({name: output})
            )
        self._taken: Callable[[], tuple[Tensor, ...]] = lambda: tuple(outputs.pop(name) for name in layers)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        self.model.predict(images)
        return self._taken()


def _compile(tapped: Tapped, _images: Tensor, _threads: int) -> Runner:
    return torch.compile(tapped, fullgraph=True)


def _export(tapped: Tapped, images: Tensor, _threads: int) -> Runner:
    module: Runner = torch.export.export(tapped, (images,)).module()
    return module


def _onnx(tapped: Tapped, images: Tensor, path: Path) -> None:
    program = torch.onnx.export(tapped, (images,), dynamo=True, verbose=False)
    assert program, "the exporter gives a program"
    program.save(path)


def _onnxruntime(tapped: Tapped, images: Tensor, threads: int) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with TemporaryDirectory() as folder:
        _onnx(tapped, images, path := Path(folder) / "port.onnx")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: [torch.from_numpy(array) for array in session.run(None, {name: images.numpy()})]


def _openvino(tapped: Tapped, images: Tensor, threads: int) -> Runner:
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    with TemporaryDirectory() as folder:
        _onnx(tapped, images, path := Path(folder) / "port.onnx")
        model = openvino.compile_model(path, "CPU", settings)

    def run(images: Tensor) -> list[Tensor]:
        found = model(images.numpy())
        return [torch.from_numpy(np.array(found[place])) for place in range(len(model.outputs))]

    return run


def _traced(tapped: Tapped, images: Tensor, _threads: int) -> Runner:
    return Traced(tapped, images)


def _itself(tapped: Tapped, _images: Tensor, _threads: int) -> Runner:
    return tapped


def _as_it_is(model: PNASNet) -> PNASNet:
    return model


def _channels_last(model: PNASNet) -> PNASNet:
    changed: PNASNet = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return changed


@dataclass(frozen=True)
class Engine:
    """`start` makes a runner from the filled model in its `form`, for images like those given.

    What it takes, `packages`, has to be installed. One that `follows` the model takes the weights that are loaded into
    it later. Whatever it folds, fuses or compiles, it is judged with integers too: they round nowhere in whatever order
    they are added, and a batch norm's scale is a power of 2 wherever it is put (parity.core.integers).
    """

    start: Callable[[Tapped, Tensor, int], Runner] = _itself
    form: Callable[[PNASNet], PNASNet] = _as_it_is
    packages: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32", "float64")
    follows: bool = False


ENGINES = {
    "channels_last": Engine(form=_channels_last),
    "inference": Engine(form=inference_form),
    "traced": Engine(_traced, form=inference_form),
    "compile": Engine(_compile, follows=True),
    "export": Engine(_export),
    "onnxruntime": Engine(_onnxruntime, packages=("onnx", "onnxscript", "onnxruntime"), dtypes=("float32",)),
    "openvino": Engine(_openvino, packages=("onnx", "onnxscript", "openvino"), dtypes=("float32",)),
}


class EngineCandidate:
    """The port under an engine, which is asked for every layer that the form has."""

    replayable = False

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self.engine = ENGINES[name]
        if missing := [package for package in self.engine.packages if importlib.util.find_spec(package) is None]:
            raise InputError(f"{name} needs {', '.join(missing)}: python -m pip install {' '.join(missing)}")
        dtypes = self.engine.dtypes
        self.gates = (*(f"exact-{dtype}" for dtype in dtypes), *sorted(dtypes, reverse=True))
        self.threads = threads
        # Starting takes minutes: the runners of models that take other weights.
        self.started: dict[tuple[Network, str, tuple[str, ...]], tuple[PNASNet, Runner]] = {}

    def refuses(self, _network: Network) -> str:
        return ""

    def unobservable(self, network: Network) -> frozenset[str]:
        with torch.device("meta"):
            form = self.engine.form(PNASNet(variant(network.variant).config).eval())
        return frozenset(port_layers(network.variant)) - layer_modules(form).keys()

    def open(self, network: Network, dtype: str, make: Make = make_model) -> "EngineRun":
        return EngineRun(self, network, dtype, make)

    def parts(self, network: Network) -> CandidateParts:
        return candidate_parts(network)


class EngineRun(Port):
    """One network of it in one dtype."""

    def __init__(self, candidate: EngineCandidate, network: Network, dtype: str, make: Make) -> None:
        super().__init__(network, dtype, make)
        self._candidate = candidate

    def run(self, images_nhwc: np.ndarray, layers: frozenset[str], report: Callable[[str, np.ndarray], None]) -> None:
        model = candidate_model(self.model).module
        names = tuple(name for name in port_layers(self.network.variant) if name in layers)
        images = to_nchw(images_nhwc, getattr(torch, self.dtype))
        try:
            # Exporters and compilers warn of their own insides.
            with warnings.catch_warnings(action="ignore"), torch.no_grad():
                outputs = dict(zip(names, self._runner(model, names, images)(images), strict=True))
        except Exception as error:
            raise CandidateError("", error) from error
        for name in names:
            report(name, to_nhwc(outputs.pop(name)))

    def _runner(self, model: Any, names: tuple[str, ...], images: Tensor) -> Runner:
        started, engine = self._candidate.started, self._candidate.engine
        key = (self.network, self.dtype, names)
        if key in started:
            kept, runner = started[key]
            kept.load_state_dict(model.state_dict())
            return runner
        runner = engine.start(Tapped(engine.form(model), names).eval(), images, self._candidate.threads)
        if engine.follows:
            started[key] = model, runner
        return runner
