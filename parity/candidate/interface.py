"""The interface of what is judged against the reference: the port as it is, or what `--candidate` names."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from parity.candidate.model import CandidateModel
from parity.candidate.parts import CandidateParts, candidate_parts
from parity.candidate.port import Judge, Port, make_model
from parity.core.code import Origin, origin_of
from parity.core.layers import Network
from parity.core.policy import GATES
from parity.core.result import LayerResult
from pnasnet_torch import PNASNet
from tf_reference.graph import ReferenceGraph

# The gates on a network, whoever built it: pixels and the evaluation are the port's own.
NETWORK_GATES = tuple(gate for gate in GATES if gate not in ("preprocess", "imagenet"))


class CandidateRun(Protocol):
    """One network of a candidate in one dtype. `parity.candidate.port.Port` is one."""

    @property
    def model(self) -> PNASNet | CandidateModel:
        """The model, filled, where layers can be run alone."""
        ...

    def load(self, variables: Mapping[str, np.ndarray]) -> None:
        """Take the official variables, by TensorFlow's names and in its layouts."""
        ...

    def load_exact(self, variables: Mapping[str, np.ndarray]) -> None:
        """Take the integer network's variables."""
        ...

    def results(
        self, gate: str, layers: frozenset[str], graph: ReferenceGraph, images_nhwc: np.ndarray, judge: Judge
    ) -> dict[str, LayerResult]:
        """Return the layer result of each of `layers`; one that never arrives, or that `graph` lacks, fails."""
        ...


class Candidate(ABC):
    """What can take the port's place: `name` is what it is called in messages and reports.

    `gates` can judge it. Where it is `replayable`, its layers can be run one by one, to find out which is at fault.
    Where it is `concurrent`, several of its networks can be run at once, each in a thread.
    """

    name: str
    gates: Sequence[str] = NETWORK_GATES
    replayable: bool = False
    concurrent: bool = False

    def refuses(self, _network: Network) -> str:
        """Return why the candidate has no such network; empty if it has, as the port has them all."""
        return ""

    def unobservable(self, _network: Network) -> frozenset[str]:
        """Return the official layers that cannot be observed in the candidate: none unless it says so."""
        return frozenset()

    def examine(self, networks: Iterable[Network]) -> None:  # noqa: B027, as most have nothing to examine
        """Raise InputError where the candidate cannot be judged, before that begins: it cannot be had, or run."""

    @property
    def notes(self) -> Sequence[str]:
        """What is to be said of the candidate at the end of a run: what it changed of the settings, for one."""
        return ()

    @property
    def origin(self) -> Origin:
        """Which code the candidate is: its place, version and commit; by default the port's."""
        return origin_of("pnasnet_torch")

    @abstractmethod
    def open(self, network: Network, dtype: str) -> CandidateRun:
        """Return one network of the candidate in one dtype, to be filled and run."""

    @abstractmethod
    def parts(self, network: Network) -> CandidateParts:
        """Return the layers and variables that the candidate has, with their shapes and dtypes."""


class Models(threading.local):
    """A thread's models of one variant by dtype: its networks at all image sizes are the same."""

    def __init__(self) -> None:
        self.variant = ""
        self.by_dtype: dict[str, PNASNet] = {}


class OwnPort(Candidate):
    """A candidate: the port as it is."""

    name = "pnasnet_torch"
    gates: Sequence[str] = GATES
    replayable = True
    concurrent = True

    def __init__(self) -> None:
        self._models = Models()

    def make(self, network: Network, dtype: str) -> PNASNet:
        """Return the port of `network` in `dtype`; its weights, which may be another network's, are to be loaded.

        Each thread has its own.
        """
        models = self._models
        if network.variant != models.variant:
            models.by_dtype.clear()
            models.variant = network.variant
        if dtype not in models.by_dtype:
            models.by_dtype[dtype] = make_model(network, dtype)
        return models.by_dtype[dtype]

    def open(self, network: Network, dtype: str) -> CandidateRun:
        """Return one network of the port in one dtype, to be filled and run."""
        return Port(network, dtype, self.make)

    def parts(self, network: Network) -> CandidateParts:
        """Return the layers and variables that the port has, with their shapes and dtypes."""
        return candidate_parts(network, self.make)
