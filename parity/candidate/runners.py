"""Runners: the port as one function of the images that gives every layer, under each engine."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from parity.core.layers import layer_modules
from pnasnet_torch import PNASNet

# Images (N, 3, H, W) to the layers that were asked for, in their order, (N, C, H, W) or (N, C).
Runner = Callable[[Tensor], Sequence[Tensor]]


class Tapped(nn.Module):
    """The port as one function of the images that gives the outputs of `layers`, in their order."""

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

        def take() -> tuple[Tensor, ...]:
            # Taken out, so that no output is held from one forward to the next.
            return tuple(outputs.pop(name) for name in layers)

        self._take = take

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of the layers for images (N, 3, H, W)."""
        # Not model(images): that ends with the logits, and the probabilities are a layer, too.
        self.model.predict(images)
        return self._take()


def start_compiled(tapped: Tapped, _images: Tensor, _threads: int) -> Runner:
    """Return the port compiled by torch.compile, whole: where Python would take over in between, it raises."""
    return torch.compile(tapped, fullgraph=True)


def try_compiler() -> Tensor:
    """Return what torch.compile makes of an addition: it takes a C++ compiler, which a machine may lack."""
    return torch.compile(lambda value: value + 1)(torch.zeros(1))


def start_exported(tapped: Tapped, images: Tensor, _threads: int) -> Runner:
    """Return the port as torch.export writes it down for images of this shape."""
    module: Runner = torch.export.export(tapped, (images,)).module()
    return module


def _save_onnx(tapped: Tapped, images: Tensor, path: Path) -> None:
    """Write the port as PyTorch's exporter to ONNX gives it, for images of this shape, to `path`."""
    program = torch.onnx.export(tapped, (images,), dynamo=True, verbose=False)
    assert program, "the exporter gives a program"
    program.save(path)


def start_onnxruntime(tapped: Tapped, images: Tensor, threads: int) -> Runner:
    """Return the port, exported to ONNX, under ONNX Runtime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with TemporaryDirectory() as folder:
        path = Path(folder) / "port.onnx"
        _save_onnx(tapped, images, path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    input_name = session.get_inputs()[0].name

    def run(images: Tensor) -> list[Tensor]:
        arrays = session.run(None, {input_name: images.numpy()})
        return [torch.from_numpy(array) for array in arrays]

    return run


def start_openvino(tapped: Tapped, images: Tensor, threads: int) -> Runner:
    """Return the port, exported to ONNX, under OpenVINO on the CPU."""
    import openvino

    # Left to itself, OpenVINO computes in bfloat16 where the processor has it.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "port.onnx"
        _save_onnx(tapped, images, path)
        model = openvino.compile_model(path, "CPU", settings)

    def run(images: Tensor) -> list[Tensor]:
        outputs = model(images.numpy())
        return [torch.from_numpy(np.array(outputs[place])) for place in range(len(model.outputs))]

    return run


def start_eager(tapped: Tapped, _images: Tensor, _threads: int) -> Runner:
    """Return the port itself, which PyTorch runs module by module, as it is."""
    return tapped
