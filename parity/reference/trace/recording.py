"""The official network, run by TensorFlow, with all that it gives written down on the way."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np

from parity.core.layers import Network
from parity.reference.exact import inputs_digest
from parity.reference.interface import (
    Knowledge,
    OfficialPixels,
    Reference,
    ReferenceRun,
    TrainingReference,
    Variables,
)
from parity.reference.trace import layout
from parity.reference.trace.store import Writer
from parity.reference.trace.training import RecordedTraining
from parity.reference.training import Arrays
from tf_reference.graph import ReferenceGraph, describe

# How many bytes may wait to be written; they are held as long.
PENDING = 256 * 2**20


class Recording:
    """The official networks as they run, recorded by `writer`.

    `about` says where the trace comes from, and what is judged.
    """

    knows: Knowledge = "network"

    def __init__(self, running: Reference, writer: Writer, about: Mapping[str, Any]) -> None:
        self.official_sources = running.official_sources
        self._running = running
        self._writer = writer
        self._about = about
        self._graphs: dict[str, dict[str, Any]] = {}
        self._integers: dict[str, dict[str, str]] = {}
        self._training: dict[str, dict[str, Any]] = {}
        self._roles = layout.Roles()
        # Beside the main thread: hashing and writing then take little time of the run. One thread, so that arrays are
        # stored in the order in which they came.
        self._thread = ThreadPoolExecutor(1)
        self._pending: deque[tuple[Future[None], int]] = deque()
        self._pending_bytes = 0
        self._putting = Lock()

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        """Return the official graph, and keep its description for the head of the trace."""
        graph = self._running.graph(network, dtype)
        self._graphs.setdefault(str(network), {})[dtype] = describe(graph)
        return graph

    def open(self, network: Network, graph: ReferenceGraph, layers: Sequence[str]) -> "RecordedRun":
        """Return a run of the official network that is recorded."""
        return RecordedRun(self._running.open(network, graph, layers), self, network, graph.spec.dtype)

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """Return and record the checkpoint's variables."""
        variables = self._running.variables(network, graph)
        self._put_all(layout.variables(network, layout.CHECKPOINT), variables)
        return variables

    def images(self, network: Network) -> np.ndarray:
        """Return and record the network's photographs (N, H, W, 3), preprocessed."""
        images = self._running.images(network)
        self._put(layout.images(network, layout.PHOTOGRAPHS), images)
        self._roles.photographs(network, images)
        return images

    def exact_inputs(self, network: Network, graph: ReferenceGraph) -> tuple[Variables, np.ndarray]:
        """Return the integer network's variables and images (N, H, W, 3), in the graph's dtype.

        They follow from the seed: what is recorded tells whether they are the same.
        """
        variables, images = self._running.exact_inputs(network, graph)
        self._integers.setdefault(str(network), {})[graph.spec.dtype] = inputs_digest(variables, images)
        self._roles.integers(network, images)
        return variables, images

    def training(self, network: Network) -> RecordedTraining:
        """Return the official network in training, recorded."""
        assert isinstance(self._running, TrainingReference)
        return RecordedTraining(self._running.training(network), network, self)

    def put_training(self, network: Network, arrays: Mapping[str, Arrays], about: Mapping[str, Any]) -> None:
        """Record arrays of training by group and name, and plain data about them for the head of the trace."""
        for group, array_by_name in arrays.items():
            folder = layout.training(network, group)
            for name, array in array_by_name.items():
                self._put(f"{folder}/{layout.flat(name)}", array)
        self._training.setdefault(str(network), {}).update(about)

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        """Return and record the image `name` in each of its official forms."""
        official = self._running.preprocessed(network, name)
        arrays = official._asdict()
        arrays["content"] = np.frombuffer(official.content, np.uint8)
        self._put_all(layout.preprocessed(network, name), arrays)
        return official

    def recorded(
        self, network: Network, dtype: str, images_nhwc: np.ndarray, values: Iterable[tuple[str, np.ndarray]]
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the layers' `values` (NHWC), and record them if the images are some that this reference gave out."""
        role = self._roles.find(network, images_nhwc)
        for layer, value in values:
            if role is not None:
                self._put(f"{layout.run(network, dtype, role)}/{layer}", value)
            yield layer, value

    def _put_all(self, folder: str, arrays: Mapping[str, np.ndarray]) -> None:
        for name, array in arrays.items():
            self._put(f"{folder}/{name}", array)

    def _put(self, path: str, array: np.ndarray) -> None:
        """Store an array, soon. Raise InputError if an earlier one could not be stored."""
        # Values come from the thread that computes ahead, and the rest from others.
        with self._putting:
            while self._pending and (self._pending[0][0].done() or self._pending_bytes > PENDING):
                self._wait_for_first()
            self._do(lambda: self._writer.put(path, array), array.nbytes)

    def _do(self, task: Callable[[], None], size: int = 0) -> None:
        """Run `task`, which holds so many bytes, in the thread, behind all that was put off before."""
        self._pending.append((self._thread.submit(task), size))
        self._pending_bytes += size

    def _wait_for_first(self) -> None:
        """Return when the first of what was put off is done. Raise InputError if it could not be."""
        future, size = self._pending.popleft()
        self._pending_bytes -= size
        future.result()

    def _wait(self) -> None:
        """Return when all is stored. Raise InputError if it could not be."""
        while self._pending:
            self._wait_for_first()

    def close(self, complete: bool) -> str:
        """Put the trace in its place if the run is `complete`, or remove what there is of it. Return which, and why."""
        path = self._writer.path
        try:
            if not complete:
                return f"{path} is not written, since the run ended before all was computed"
            self._wait()
            self._do(self._finish)
            self._wait()
            return f"recorded in {path}, {path.stat().st_size / 1e9:,.2f} GB"
        finally:
            # Of a run that ended early, what waits to be written is not wanted any more.
            self._thread.shutdown(cancel_futures=True)
            self._writer.close()
            self._running.close(complete)

    def _finish(self) -> None:
        head = dict(self._about)
        head["graphs"] = self._graphs
        head["integers"] = self._integers
        head["training"] = self._training
        self._writer.finish(head)


class RecordedRun:
    """The official network in one dtype; what it computes is recorded."""

    def __init__(self, running: ReferenceRun, recording: Recording, network: Network, dtype: str) -> None:
        self.layers = running.layers
        self.assign = running.assign
        self.assign_exact = running.assign_exact
        self.replay = running.replay
        self.close = running.close
        self._running = running
        self._recording = recording
        self._network = network
        self._dtype = dtype

    def values(self, images_nhwc: np.ndarray, layers: Collection[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the value (NHWC) of each of `layers`, in the order of the graph, and record it."""
        values = self._running.values(images_nhwc, layers)
        return self._recording.recorded(self._network, self._dtype, images_nhwc, values)

    def run(self, images_nhwc: np.ndarray, layers: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the values (NHWC) of `layers` by name, and record them."""
        return dict(self.values(images_nhwc, frozenset(layers)))
