"""The port compiled by torch.compile, as one function that gives every layer."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from parity.capture import to_nchw, to_nhwc
from parity.layers import Network, layer_modules
from parity.port import Judge, Port
from parity.result import LayerResult
from pnasnet_torch import PNASNet
from tf_reference.graph import ReferenceGraph

Compiled = Callable[[Tensor], dict[str, Tensor]]


class CompiledPort(Port):
    """Compiling takes minutes, so one model for each network and dtype is compiled and then given other weights."""

    _made: ClassVar[dict[tuple[Network, str], tuple[PNASNet, Compiled]]] = {}

    def results(
        self, gate: str, layers: frozenset[str], graph: ReferenceGraph, images_nhwc: np.ndarray, judge: Judge
    ) -> dict[str, LayerResult]:
        key = (self.network, self.dtype)
        if key not in self._made:
            self._made[key] = self.model, _compile(self.model)
        model, compiled = self._made[key]
        model.load_state_dict(self.model.state_dict(), assign=False)
        with torch.inference_mode():
            outputs = compiled(to_nchw(images_nhwc, getattr(torch, self.dtype)))
        missing = LayerResult(gate, str(self.network), "", problem="the compiled port does not report this layer")
        return {layer: judge(layer, to_nhwc(outputs[layer])) if layer in outputs else missing for layer in layers}


def _compile(model: PNASNet) -> Compiled:
    outputs: dict[str, Tensor] = {}
    for name, module in layer_modules(model).items():
        module.register_forward_hook(lambda _module, _inputs, output, name=name: outputs.update({name: output}))

    def run(images: Tensor) -> dict[str, Tensor]:
        outputs.clear()
        model.predict(images)
        return dict(outputs)

    return torch.compile(run, fullgraph=True)
