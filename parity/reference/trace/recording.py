"""The official network, run by TensorFlow, with all that it gives written down on the way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from parity.core.layers import Network
from parity.reference.interface import Knowledge, OfficialPixels, Variables
from parity.reference.live import LiveReference
from parity.reference.trace import layout
from parity.reference.trace.store import Writer
from parity.reference.trace.training import RecordedTraining
from parity.reference.training import Arrays
from tf_reference.graph import ReferenceGraph, describe
from tf_reference.run import OfficialRun


class Recording:
    """The reference `live`, recorded by `writer` with what it is `about`: where it comes from, and what is judged."""

    knows: Knowledge = "network"

    def __init__(self, live: LiveReference, writer: Writer, about: Mapping[str, Any]) -> None:
        self.official_sources = live.official_sources
        self._live, self._writer, self._about = live, writer, about
        self._graphs: dict[str, dict[str, Any]] = {}
        self._training: dict[str, dict[str, Any]] = {}
        self._roles = layout.Roles()
        # Beside the main thread: hashing and writing then take little time of the run.
        self._thread = ThreadPoolExecutor(1)
        self._pending: list[Future[None]] = []

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        graph = self._live.graph(network, dtype)
        self._graphs.setdefault(str(network), {})[dtype] = describe(graph)
        return graph

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> "RecordedRun":
        return RecordedRun(self._live.open(network, graph, layers), self, network)

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        variables = self._live.variables(network, graph)
        self._put_all(layout.variables(network, layout.CHECKPOINT), variables)
        return variables

    def images(self, network: Network) -> np.ndarray:
        images = self._live.images(network)
        self._put(layout.images(network, layout.PHOTOGRAPHS), images)
        self._roles.photographs(network, images)
        return images

    def exact_inputs(self, network: Network, graph: ReferenceGraph) -> tuple[Variables, np.ndarray]:
        variables, images = self._live.exact_inputs(network, graph)
        role = layout.integers(graph.spec.dtype)
        self._put_all(layout.variables(network, role), variables)
        self._put(layout.images(network, role), images)
        self._roles.integers(network, images)
        return variables, images

    def training(self, network: Network) -> RecordedTraining:
        return RecordedTraining(self._live.training(network), network, self)

    def put_training(self, network: Network, arrays: Mapping[str, Arrays], about: Mapping[str, Any]) -> None:
        """Stores arrays by group, and what is to be known of them."""
        self.wait()  # so that no more than one run's values are held
        for group, rows in arrays.items():
            self._put_all(layout.training(network, group), {layout.flat(name): row for name, row in rows.items()})
        self._training.setdefault(str(network), {}).update(about)

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        found = self._live.preprocessed(network, name)
        content = np.frombuffer(found.content, np.uint8)
        self._put_all(layout.preprocessed(network, name), found._asdict() | {"content": content})
        return found

    def record(self, network: Network, dtype: str, images_nhwc: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
        """Stores the layers' values, if these are images that it gave out."""
        role = self._roles.find(network, images_nhwc)
        if role is not None:
            self._put_all(layout.run(network, dtype, role), values)

    def _put_all(self, folder: str, arrays: Mapping[str, np.ndarray]) -> None:
        for name, array in arrays.items():
            self._put(f"{folder}/{name}", array)

    def _put(self, path: str, array: np.ndarray) -> None:
        self._do(lambda: self._writer.put(path, array))

    def _do(self, task: Callable[[], None]) -> None:
        self._pending.append(self._thread.submit(task))

    def wait(self) -> None:
        """Returns when all is stored. Raises InputError if it could not be."""
        pending, self._pending = self._pending, []
        for future in pending:
            future.result()

    def close(self, complete: bool) -> str:
        path = self._writer.path
        try:
            if not complete:
                return f"{path} is not written, since the run ended before all was computed"
            self.wait()
            self._do(lambda: self._writer.finish({**self._about, "graphs": self._graphs, "training": self._training}))
            self.wait()
            return f"recorded in {path}, {path.stat().st_size / 1e9:,.2f} GB"
        finally:
            self._thread.shutdown(cancel_futures=True)
            self._writer.close()


class RecordedRun:
    """The official network in one dtype; what it computes is recorded."""

    def __init__(self, reference: OfficialRun, recording: Recording, network: Network) -> None:
        self.layers = reference.layers
        self.assign, self.assign_exact = reference.assign, reference.assign_exact
        self.replay, self.close = reference.replay, reference.close
        self._reference, self._recording, self._network = reference, recording, network

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        self._recording.wait()  # so that no more than one run's values are held
        values = self._reference.run(images_nhwc, layers)
        self._recording.record(self._network, self._reference.graph.spec.dtype, images_nhwc, values)
        return values
