"""What official values are asked of: the official network itself as it runs, or what is stored of an earlier run."""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from parity.core.layers import Network
from parity.reference.training import OfficialTraining
from tf_reference.graph import ReferenceGraph
from tf_reference.official import Source

Variables = Mapping[str, np.ndarray]
Knowledge = Literal["network", "values", "digests"]


class OfficialPixels(NamedTuple):
    """An image file's bytes, its decoded pixels (H, W, 3), and the network's input (1, height, width, 3)."""

    content: bytes
    decoded: np.ndarray
    pixels: np.ndarray


class ReferenceRun(Protocol):
    """The official `layers` of one network in one dtype. `tf_reference.run.OfficialRun` is one."""

    @property
    def layers(self) -> Sequence[str]: ...

    def assign(self, values: Variables) -> None: ...

    def assign_exact(self, values: Variables) -> None:
        """Takes the integer network's variables, so that it computes with integers on this processor too."""
        ...

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str] | None = None) -> MutableMapping[str, Any]:
        """The layers' values (NHWC) by name, or their digests where the reference knows no more."""
        ...

    def replay(self, layer: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The layer alone on other inputs, where the reference knows the network."""
        ...

    def close(self) -> None: ...


class Reference(Protocol):
    """What a port is judged by. Weights are in TensorFlow's names and layouts, images and layers NHWC."""

    @property
    def official_sources(self) -> Mapping[str, Source]:
        """The official code that is run, by the label of the reference that it is; none where none is run."""
        ...

    @property
    def knows(self) -> Knowledge:
        """The network, so that it computes whatever it is asked; or the values that it gave; or their digests alone."""
        ...

    def graph(self, network: Network, dtype: str) -> ReferenceGraph: ...

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> ReferenceRun: ...

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """The checkpoint's."""
        ...

    def images(self, network: Network) -> np.ndarray:
        """Photographs (N, H, W, 3), preprocessed."""
        ...

    def exact_inputs(self, network: Network, graph: ReferenceGraph) -> tuple[Variables, np.ndarray]:
        """The integer network's variables and images, in the graph's dtype."""
        ...

    def preprocessed(self, network: Network, name: str) -> OfficialPixels: ...

    def close(self, complete: bool) -> str:
        """Ends its use; `complete` if all that was asked for was judged. What is to be said of that, if anything."""
        ...


@runtime_checkable
class TrainingReference(Protocol):
    """What a port that trains is judged by."""

    def training(self, network: Network) -> OfficialTraining: ...


class StoredReference(Reference, Protocol):
    """What the official network gave in an earlier run: its weights and images are stored with it."""

    @property
    def gates(self) -> Sequence[str]:
        """The gates that it may have values for."""
        ...

    @property
    def provenance(self) -> dict[str, Any]:
        """What it was made from, by what, and when."""
        ...

    @property
    def networks(self) -> Sequence[Network]: ...

    def layers(self, network: Network) -> Sequence[str]:
        """The official network's."""
        ...

    def names(self, gate: str, network: Network) -> Sequence[str]:
        """What was judged when it was made."""
        ...
