"""What runs in the process of the official networks: whatever the other process asks for."""

import gc
import os
import pickle
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count
from typing import Any

import numpy as np

from parity.core.errors import is_outside, lacks_memory
from parity.core.layers import Network
from parity.core.pinning import release_memory
from parity.core.specification import Specification
from parity.reference.interface import OfficialPixels, Variables
from parity.reference.live import LiveReference
from tf_reference.compat import tensorflow
from tf_reference.graph import ReferenceGraph, describe
from tf_reference.run import OfficialRun


@dataclass(frozen=True)
class Reply:
    """What a function gives: a value, or an error; and what it warned of."""

    value: Any = None
    error: Exception | None = None
    warnings: Sequence[Warning] = ()


class Official:
    """The official networks, by functions that take and give what can be sent.

    Runs, and values that are under way, go by numbers.
    """

    def __init__(self, specification: Specification) -> None:
        self._specification = specification
        self._numbers = count()
        self._runs: dict[int, tuple[Network, OfficialRun]] = {}
        self._values: dict[int, Iterator[tuple[str, np.ndarray]]] = {}
        # A network has two.
        self._graph = lru_cache(maxsize=2)(self._read_graph)

    @cached_property
    def _live(self) -> LiveReference:
        """The official networks. Made with the first answer, which what goes wrong is told in."""
        return LiveReference(self._specification)

    def _read_graph(self, network: Network, dtype: str) -> ReferenceGraph:
        """Return the official graph of `network` in `dtype`."""
        return self._live.graph(network, dtype)

    def graph(self, network: Network, dtype: str) -> dict[str, Any]:
        """Return the official graph of `network` in `dtype`, described."""
        return describe(self._graph(network, dtype))

    def variables(self, network: Network) -> Variables:
        """Return the checkpoint's variables."""
        return self._live.variables(network, self._graph(network, "float32"))

    def images(self, network: Network) -> np.ndarray:
        """Return the network's photographs (N, H, W, 3), preprocessed."""
        return self._live.images(network)

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        """Return the image `name` in each of its official forms."""
        return self._live.preprocessed(network, name)

    def open(self, network: Network, dtype: str, layers: Sequence[str]) -> int:
        """Open a run of `network` that can give `layers`, and return its number."""
        number = next(self._numbers)
        self._runs[number] = network, self._live.open(network, self._graph(network, dtype), layers)
        return number

    def assign(self, number: int, values: Variables | None) -> None:
        """Set a run's variables: to these values, or to the checkpoint's."""
        network, run = self._runs[number]
        run.assign(self.variables(network) if values is None else values)
        release_memory()

    def assign_exact(self, number: int, values: Variables | None) -> None:
        """Set a run's variables: to these values, or to the integers, which are made anew from the seed."""
        network, run = self._runs[number]
        if values is None:
            values, _images = self._live.exact_inputs(network, run.graph)
        run.assign_exact(values)
        release_memory()

    def begin(self, number: int, images_nhwc: np.ndarray, layers: frozenset[str]) -> int:
        """Begin to compute a run's `layers` on the images (N, H, W, 3); their values go by the number returned."""
        _network, run = self._runs[number]
        begun = next(self._numbers)
        self._values[begun] = run.values(images_nhwc, layers)
        return begun

    def following(self, begun: int) -> tuple[str, np.ndarray] | None:
        """Return the next layer's name and value (NHWC), or None behind the last."""
        return next(self._values[begun], None)

    def end(self, begun: int) -> None:
        """Free what is left of values that were begun."""
        del self._values[begun]
        release_memory()

    def replay(self, number: int, layer: str, inputs: Sequence[np.ndarray], variables: Variables | None) -> np.ndarray:
        """Return the output (NHWC) of a run's `layer` alone on other inputs (NHWC), and with other `variables`."""
        _network, run = self._runs[number]
        return run.replay(layer, inputs, variables)

    def close(self, number: int) -> None:
        """Free what a run holds."""
        _network, run = self._runs.pop(number)
        run.close()
        # The next one takes gigabytes too: what is still held in cycles goes first, then what the C library keeps.
        del run
        gc.collect()
        release_memory()


def serve() -> None:
    """Answer what comes on standard input, on standard output, until the other process has ended."""
    # What a terminal stops is the other process, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    questions = sys.stdin.buffer
    replies = os.fdopen(os.dup(1), "wb")
    # Whatever is printed here is no reply.
    os.dup2(2, 1)
    with suppress(EOFError, BrokenPipeError):
        official = Official(pickle.load(questions))
        # Before anything is asked. Where it cannot be imported, that is told when it is needed.
        with suppress(Exception):
            tensorflow()
        while True:
            function, arguments = pickle.load(questions)
            pickle.dump(_reply(official, function, arguments), replies, protocol=5)
            replies.flush()


def _reply(official: Official, function: str, arguments: tuple[Any, ...]) -> Reply:
    """Return what a function gives, or raises."""
    with warnings.catch_warnings(record=True) as caught:
        try:
            reply = Reply(getattr(official, function)(*arguments))
        except Exception as error:
            reply = Reply(error=_portable(error))
    # As text: what else they hold may be TensorFlow's.
    told = [UserWarning(str(warning.message)) for warning in caught]
    return Reply(reply.value, reply.error, told)


def _portable(error: Exception) -> Exception:
    """Return an error that can be raised in the other process, without TensorFlow."""
    if lacks_memory(error):
        return MemoryError(str(error))
    if is_outside(error):
        return error
    return RuntimeError(f"the official network fails:\n{''.join(traceback.format_exception(error))}")
