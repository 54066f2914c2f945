"""The two models as the evaluation runs them: pixels in, logits out."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from typing import Protocol

import numpy as np

from parity.core.layers import Network
from pnasnet_torch.preprocess import preprocess
from tf_reference.graph import GraphSpec, reference_graph
from tf_reference.official import Source
from tf_reference.run import OfficialRun

LOGITS = "final_layer.FC"


class Side(Protocol):
    """A model: pixels (N, H, W, 3), float32 from -1 to 1, to logits (N, classes)."""

    def logits(self, pixels_nhwc: np.ndarray) -> np.ndarray: ...

    def close(self) -> None: ...


class OfficialSide:
    """The official network in `dtype`; `variables` by TensorFlow's names."""

    def __init__(
        self,
        source: Source,
        network: Network,
        variables: Mapping[str, np.ndarray],
        threads: int,
        dtype: str = "float32",
    ) -> None:
        graph = reference_graph(source, GraphSpec(network.variant, network.height, network.width, dtype))
        self._reference = OfficialRun(graph, [LOGITS], threads)
        self._reference.assign(variables)

    def logits(self, pixels_nhwc: np.ndarray) -> np.ndarray:
        return self._reference.run(pixels_nhwc)[LOGITS]

    def close(self) -> None:
        self._reference.close()


class PortSide:
    """The port on `device`, in the memory format that is fastest there."""

    def __init__(self, network: Network, variables: Mapping[str, np.ndarray], device: str) -> None:
        import torch

        from pnasnet_torch import variant
        from pnasnet_torch.weights import from_tf_variables

        model = from_tf_variables(variant(network.variant).config, variables)
        self._model = model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device

    def logits(self, pixels_nhwc: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            # NHWC with the axes renamed is what torch calls channels_last.
            images = torch.from_numpy(pixels_nhwc).to(self._device).permute(0, 3, 1, 2)
            result: np.ndarray = self._model(images).cpu().numpy()
        return result

    def close(self) -> None:
        del self._model


class Models:
    """The `sides` of one network, and for comparing two the official one in float64; all are closed together.

    `variables` by TensorFlow's names. Loading includes what a first image takes to prepare.
    """

    def __init__(
        self,
        network: Network,
        sides: Iterable[str],
        source: Source,
        variables: Mapping[str, np.ndarray],
        threads: int,
        device: str,
    ) -> None:
        make: dict[str, Callable[[], Side]] = {
            "official": lambda: OfficialSide(source, network, variables, threads),
            "port": lambda: PortSide(network, variables, device),
        }
        with ExitStack() as stack:
            self.sides = {side: stack.enter_context(closing(make[side]())) for side in sides}
            self.truth: Side | None = None
            if len(self.sides) == 2:
                self.truth = stack.enter_context(closing(OfficialSide(source, network, variables, threads, "float64")))
            pixels = preprocess(np.zeros((8, 8, 3), np.uint8), network.height, network.width)
            for model in filter(None, (*self.sides.values(), self.truth)):
                model.logits(pixels[None])
            self.close = stack.pop_all().close

    def logits(self, pixels_nhwc: np.ndarray) -> dict[str, np.ndarray]:
        """Each side's logits (N, classes)."""
        return {side: model.logits(pixels_nhwc) for side, model in self.sides.items()}
