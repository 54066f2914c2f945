"""The interface of a reference: the official network as it runs, or what is stored of an earlier run."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from parity.core.layers import Network
from parity.reference.training import OfficialTraining
from tf_reference.graph import ReferenceGraph
from tf_reference.official import Source

Variables = Mapping[str, np.ndarray]
# What a reference knows of an official network: the network itself, so that it computes whatever it is asked; or the
# values that the network gave; or their digests alone.
Knowledge = Literal["network", "values", "digests"]


class OfficialPixels(NamedTuple):
    """An image file's bytes, its decoded pixels (H, W, 3), and the network's input (1, height, width, 3)."""

    content: bytes
    decoded: np.ndarray
    pixels: np.ndarray


class ReferenceRun(Protocol):
    """The official `layers` of one network in one dtype. `tf_reference.run.OfficialRun` is one."""

    @property
    def layers(self) -> Sequence[str]:
        """The names of the layers that can be asked for."""
        ...

    def assign(self, values: Variables) -> None:
        """Set the network's variables; `values` are in TensorFlow's names and layouts."""
        ...

    def assign_exact(self, values: Variables) -> None:
        """Set the integer network's variables, so that it computes with integers on this processor too."""
        ...

    def values(self, images_nhwc: np.ndarray, layers: Collection[str]) -> Iterator[tuple[str, Any]]:
        """Yield the name and the value (NHWC) of each of `layers` that the network has, in the order of the graph.

        It is the value's digest where no more is known. Not all values are held at once.
        """
        ...

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str]) -> Mapping[str, Any]:
        """Return the values (NHWC) of `layers` by name, or their digests where no more is known."""
        ...

    def replay(self, layer: str, inputs: Sequence[np.ndarray], variables: Variables | None = None) -> np.ndarray:
        """Return the output (NHWC) of `layer` alone on other inputs (NHWC).

        With `variables` (those that it takes) also these, and heights, widths and channels, may be others.
        Raise InputError where the reference does not know the network.
        """
        ...

    def close(self) -> None:
        """Free what the run holds."""
        ...


class Reference(Protocol):
    """What a candidate is judged by. Weights are in TensorFlow's names and layouts, images and layers NHWC."""

    @property
    def official_sources(self) -> Mapping[str, Source]:
        """The official sources that are run, by the label of the reference that each is; empty where none is run."""
        ...

    @property
    def knows(self) -> Knowledge:
        """What is known of the official network: the network itself, its values, or its digests."""
        ...

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        """Return the official graph of `network` in `dtype`: its layers and its variables."""
        ...

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> ReferenceRun:
        """Return a run of `network` that can give `layers`, in the dtype of `graph`."""
        ...

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """Return the checkpoint's variables."""
        ...

    def images(self, network: Network) -> np.ndarray:
        """Return the network's photographs (N, H, W, 3), preprocessed."""
        ...

    def exact_inputs(self, network: Network, graph: ReferenceGraph) -> tuple[Variables, np.ndarray]:
        """Return the integer network's variables and images (N, H, W, 3), in the graph's dtype."""
        ...

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        """Return the image `name` in each of its official forms, from the file to the input of `network`."""
        ...

    def close(self, complete: bool) -> str:
        """End the use of the reference, and return a sentence for the end of the run, or an empty one.

        The run is `complete` if all that was asked for was judged.
        """
        ...


# Not every reference can be asked for training: golden digests have none.
@runtime_checkable
class TrainingReference(Protocol):
    """What a candidate that trains is judged by."""

    def training(self, network: Network) -> OfficialTraining:
        """Return the official `network` in training."""
        ...


class StoredReference(Reference, Protocol):
    """What the official network gave in an earlier run: its weights and images are stored with it."""

    @property
    def gates(self) -> Sequence[str]:
        """The gates that values may be stored for."""
        ...

    @property
    def provenance(self) -> dict[str, Any]:
        """What the stored values were made from, by what, and when."""
        ...

    @property
    def networks(self) -> Sequence[Network]:
        """The networks that values are stored of."""
        ...

    def layers(self, network: Network) -> Sequence[str]:
        """Return the names of the official network's layers."""
        ...

    def names(self, gate: str, network: Network) -> Sequence[str]:
        """Return the names that `gate` judged when the values were stored, such as those of layers."""
        ...
