"""A trace in the place of the official network: what that gave when it was recorded."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from threading import Lock

import numpy as np

from parity.core.errors import InputError
from parity.core.layers import Network, network_at
from parity.core.policy import GATES, TRAINING_GATES
from parity.reference.exact import stored_inputs
from parity.reference.interface import Knowledge, OfficialPixels, Variables
from parity.reference.trace import layout
from parity.reference.trace.store import Reader
from parity.reference.trace.training import StoredTraining
from tf_reference.graph import GraphSpec, ReferenceGraph, restore
from tf_reference.official import Source


class Values(Mapping[str, np.ndarray]):
    """Arrays of a trace by name, each read when it is asked for and not kept."""

    def __init__(self, reader: Reader, folder: str, names: Iterable[str]) -> None:
        self._reader = reader
        self._folder = folder
        # A dictionary for its keys alone, which stay in order.
        self._names = {name: None for name in names if f"{folder}/{name}" in reader}

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        return self._reader.get(f"{self._folder}/{name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def content(self) -> list[tuple[str, str]]:
        """Each name with a text that stands for its array's bits."""
        return [(name, self._reader.sha256(f"{self._folder}/{name}")) for name in self._names]


class Kept(Mapping[str, np.ndarray]):
    """Arrays of a trace by name, each read when it is first asked for, once."""

    def __init__(self, values: Values) -> None:
        self.content = values.content
        self._values = values
        self._read: dict[str, np.ndarray] = {}
        self._reading = Lock()

    def __getitem__(self, name: str) -> np.ndarray:
        # Two threads may ask for the same.
        with self._reading:
            if name not in self._read:
                self._read[name] = self._values[name]
            return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class TraceReference:
    """The trace that `reader` reads. Raises InputError where an array was altered."""

    # The evaluation on ImageNet runs both networks itself, and is not recorded.
    gates = (*(gate for gate in GATES if gate != "imagenet"), *TRAINING_GATES)
    knows: Knowledge = "values"
    official_sources: Mapping[str, Source] = {}

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._roles = layout.Roles()
        # Those that were asked for last: networks of one variant follow each other, and have the same.
        self._variables = Kept(Values(reader, "", ()))
        self._changing = Lock()
        self.provenance = reader.head["provenance"]
        # What was judged, by network and gate.
        self._recorded: dict[Network, dict[str, list[str]]] = {}
        for name, names_by_gate in reader.head["recorded"].items():
            variant, size = name.split("-", 1)
            self._recorded[network_at(variant, size)] = names_by_gate

    @property
    def networks(self) -> Sequence[Network]:
        """The networks that were recorded."""
        return list(self._recorded)

    def layers(self, network: Network) -> Sequence[str]:
        """Return the names of the official network's layers; none where only its preprocessing was recorded."""
        graphs = self._reader.head["graphs"].get(str(network), {})
        return list(graphs["float32"]["layers"]) if graphs else []

    def names(self, gate: str, network: Network) -> Sequence[str]:
        """Return what `gate` judged when the trace was recorded."""
        return self._recorded[network].get(gate, [])

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        """Return the official graph as it was described: it cannot be run."""
        spec = GraphSpec(network.variant, network.height, network.width, dtype)
        return restore(spec, None, self._reader.head["graphs"][str(network)][dtype])

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> "TraceRun":
        """Return the recorded values of `layers` in the dtype of `graph`, as a run."""
        return TraceRun(self._reader, self._roles, network, graph.spec.dtype, layers)

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """Return the checkpoint's variables, each read when it is first asked for."""
        stored = self._all(layout.variables(network, layout.CHECKPOINT))
        with self._changing:
            if stored.content != self._variables.content:
                self._variables = Kept(stored)
            return self._variables

    def _all(self, folder: str) -> Values:
        """Return all arrays of a folder by name, none of which is read yet."""
        return Values(self._reader, folder, self._reader.below(folder))

    def images(self, network: Network) -> np.ndarray:
        """Return the network's photographs (N, H, W, 3), preprocessed."""
        images = self._reader.get(layout.images(network, layout.PHOTOGRAPHS))
        self._roles.photographs(network, images)
        return images

    def exact_inputs(self, network: Network, graph: ReferenceGraph) -> tuple[Variables, np.ndarray]:
        """Return the integer network's variables and images (N, H, W, 3), in the graph's dtype."""
        digest = self._reader.head["integers"].get(str(network), {}).get(graph.spec.dtype, "")
        again = f"record {self._reader.path} again"
        variables, images = stored_inputs(network, graph, digest, self.provenance, again)
        self._roles.integers(network, images)
        return variables, images

    def training(self, network: Network) -> StoredTraining:
        """Return the official network in training, as it was recorded."""
        return StoredTraining(self._reader, network, self._reader.head["training"][str(network)])

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        """Return the image `name` in each of its official forms."""
        stored = self._all(layout.preprocessed(network, name))
        return OfficialPixels(stored["content"].tobytes(), stored["decoded"], stored["pixels"])

    def close(self, complete: bool) -> str:
        """Close the file, and return nothing to say."""
        self._reader.close()
        return ""


class TraceRun:
    """The official layers of one network in one dtype, as they were recorded."""

    def __init__(
        self, reader: Reader, roles: layout.Roles, network: Network, dtype: str, layers: Sequence[str]
    ) -> None:
        self.layers = layers
        self._reader = reader
        self._roles = roles
        self._network = network
        self._dtype = dtype

    def assign(self, values: Variables) -> None:
        """Leave `values` aside: the trace holds what was computed with its own variables."""

    assign_exact = assign

    def values(self, images_nhwc: np.ndarray, layers: Collection[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the value (NHWC) of each of `layers` on these images, as they are read.

        Raise InputError for images that were not recorded.
        """
        in_order = [layer for layer in self.layers if layer in layers]
        yield from self.run(images_nhwc, in_order).items()

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str]) -> Values:
        """Return the values (NHWC) of `layers` on these images, each read when it is asked for.

        Raise InputError for images that were not recorded.
        """
        role = self._roles.find(self._network, images_nhwc)
        if role is None:
            raise InputError(f"{self._reader.path} has no run on these images")
        folder = layout.run(self._network, self._dtype, role)
        return Values(self._reader, folder, layers)

    def replay(self, layer: str, inputs: Sequence[np.ndarray], variables: Variables | None = None) -> np.ndarray:
        """Raise InputError: a trace computes nothing."""
        raise InputError(f"a trace cannot compute {layer} on other inputs")

    def close(self) -> None:
        """Free nothing: the file is the reference's to close."""
