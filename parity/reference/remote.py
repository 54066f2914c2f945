"""The official networks, run by TensorFlow in a process of its own."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from parity.core.layers import Network
from parity.reference.graphs import spec_of
from parity.reference.interface import Knowledge, OfficialPixels, Variables
from parity.reference.live import LiveReference
from parity.reference.process import OfficialProcess
from tf_reference.graph import ReferenceGraph, restore


class Known(Mapping[str, np.ndarray]):
    """Variables of a network, the checkpoint's or its integers, which the process has itself."""

    def __init__(self, values: Variables) -> None:
        self._values = values

    def __getitem__(self, name: str) -> np.ndarray:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class RemoteReference:
    """The official networks of `live`, run by TensorFlow in the `process`."""

    knows: Knowledge = "network"

    def __init__(self, live: LiveReference, process: OfficialProcess) -> None:
        self.official_sources = live.official_sources
        self._live = live
        self._process = process
        # Those of the variant that was asked for last: its networks follow each other, and have the same.
        self._variables: tuple[str, Known] | None = None

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        """Return the official graph as it is described: it is run in the process alone."""
        return restore(spec_of(network, dtype), None, self._process.ask("graph", network, dtype))

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> "RemoteRun":
        """Return a run of `network` that can give `layers`, in the dtype of `graph`."""
        return RemoteRun(self._process, network, graph.spec.dtype, layers)

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """Return the checkpoint's variables. Raise InputError where they do not fit the official network."""
        if self._variables is None or self._variables[0] != network.variant:
            self._variables = network.variant, Known(self._process.ask("variables", network))
        return self._variables[1]

    def images(self, network: Network) -> np.ndarray:
        """Return the network's photographs (N, H, W, 3), preprocessed by its own official source."""
        images: np.ndarray = self._process.ask("images", network)
        return images

    def exact_inputs(self, network: Network, graph: ReferenceGraph) -> tuple[Variables, np.ndarray]:
        """Return the integer network's variables and images (N, H, W, 3), in the graph's dtype."""
        # From the same seed on either side, which takes less time than to send gigabytes.
        variables, images_nhwc = self._live.exact_inputs(network, graph)
        return Known(variables), images_nhwc

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        """Return the image `name`: its file's bytes, decoded by TensorFlow, and preprocessed for `network`."""
        pixels: OfficialPixels = self._process.ask("preprocessed", network, name)
        return pixels

    def close(self, complete: bool) -> str:
        """End the process, and return nothing to say."""
        self._process.close()
        return ""


class RemoteRun:
    """The official `layers` of one network in one dtype, run in the `process`."""

    def __init__(self, process: OfficialProcess, network: Network, dtype: str, layers: Sequence[str]) -> None:
        self.layers = layers
        self._process = process
        self._number = process.ask("open", network, dtype, layers)

    def assign(self, values: Variables) -> None:
        """Set the network's variables; `values` are in TensorFlow's names and layouts."""
        self._process.ask("assign", self._number, _sent(values))

    def assign_exact(self, values: Variables) -> None:
        """Set the integer network's variables, so that it computes with integers on this processor too."""
        self._process.ask("assign_exact", self._number, _sent(values))

    def values(self, images_nhwc: np.ndarray, layers: Collection[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the value (NHWC) of each of `layers`, in the order of the graph."""
        number = self._process.ask("begin", self._number, images_nhwc, frozenset(layers))
        try:
            while layer := self._process.ask("following", number):
                yield layer
        finally:
            self._process.free("end", number)

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the values (NHWC) of `layers` by name."""
        return dict(self.values(images_nhwc, frozenset(layers)))

    def replay(self, layer: str, inputs: Sequence[np.ndarray], variables: Variables | None = None) -> np.ndarray:
        """Return the output (NHWC) of `layer` alone on other inputs (NHWC), and with other `variables`."""
        output: np.ndarray = self._process.ask("replay", self._number, layer, inputs, variables)
        return output

    def close(self) -> None:
        """Free what the run holds."""
        self._process.free("close", self._number)


def _sent(values: Variables) -> Variables | None:
    """Return the variables as they are sent: not at all where the process has them."""
    return None if isinstance(values, Known) else dict(values)
