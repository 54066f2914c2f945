"""The two models as the evaluation runs them: pixels in, logits out."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from typing import Protocol

import numpy as np

from parity.core.layers import Network
from parity.imagenet.sides import OFFICIAL
from pnasnet_torch.preprocess import preprocess
from tf_reference.graph import GraphSpec, reference_graph
from tf_reference.official import Source
from tf_reference.run import OfficialRun

LOGITS = "final_layer.FC"


class Side(Protocol):
    """A model: pixels (N, H, W, 3), float32 from -1 to 1, to logits (N, classes)."""

    def logits(self, pixels_nhwc: np.ndarray) -> np.ndarray:
        """Return the logits (N, classes) of the pixels (N, H, W, 3)."""
        ...

    def close(self) -> None:
        """Free what the model takes; it cannot be run again."""
        ...


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
        """Return the official logits (N, classes), in the network's dtype."""
        return self._reference.run(pixels_nhwc)[LOGITS]

    def close(self) -> None:
        """Close TensorFlow's session."""
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
        """Return the port's logits (N, classes), on the CPU."""
        import torch

        with torch.inference_mode():
            # NHWC with the axes renamed is what torch calls channels_last.
            images = torch.from_numpy(pixels_nhwc).to(self._device).permute(0, 3, 1, 2)
            logits: np.ndarray = self._model(images).cpu().numpy()
        return logits

    def close(self) -> None:
        """Free the model."""
        del self._model


class Models:
    """The `sides` of one network, and for comparing two the official one in float64; all are closed together.

    `source` is the official code, of which the port alone needs none; `variables` by TensorFlow's names. Loading
    includes what a first image takes to prepare.
    """

    def __init__(
        self,
        network: Network,
        sides: Iterable[str],
        source: Source | None,
        variables: Mapping[str, np.ndarray],
        threads: int,
        device: str,
    ) -> None:
        self.sides: dict[str, Side] = {}
        self.truth: Side | None = None
        # Where one model cannot be loaded, leaving the stack closes those that were.
        with ExitStack() as stack:
            for name in sides:
                side: Side
                if name == OFFICIAL:
                    assert source
                    side = OfficialSide(source, network, variables, threads)
                else:
                    side = PortSide(network, variables, device)
                self.sides[name] = stack.enter_context(closing(side))
            if len(self.sides) == 2:
                assert source
                self.truth = stack.enter_context(closing(OfficialSide(source, network, variables, threads, "float64")))
            # The first forward takes longer than all others; among them it would spoil the rate that is shown.
            pixels = preprocess(np.zeros((8, 8, 3), np.uint8), network.height, network.width)
            self.logits(pixels[None])
            if self.truth:
                self.truth.logits(pixels[None])
            self.close = stack.pop_all().close

    def logits(self, pixels_nhwc: np.ndarray) -> dict[str, np.ndarray]:
        """Return each side's logits (N, classes), by its name."""
        return {name: side.logits(pixels_nhwc) for name, side in self.sides.items()}
