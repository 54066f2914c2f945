"""The gates on a conversion: the official network with the source's weights, the port with the target's."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from parity.candidate.interface import CandidateRun
from parity.candidate.parts import CandidateParts, candidate_parts
from parity.candidate.port import Port
from parity.convert.change import AUX_HEAD
from parity.convert.request import NotVerifiedError
from parity.convert.status import step
from parity.core.layers import DEFAULT_SIZES, Network, network_at, port_layers
from parity.diagnosis.verdict import DETAILED
from parity.plugin.terminal import table
from parity.reference.interface import Variables
from parity.reference.live import LiveReference
from parity.session.options import Options
from parity.session.session import ParitySession
from pnasnet_torch import PNASNet
from pnasnet_torch.archive import is_archive
from pnasnet_torch.checkpoint import files_of
from pnasnet_torch.formats import FORMATS
from pnasnet_torch.source import Weights, open_checkpoint
from pnasnet_torch.weights import TF, empty_network, fill, outline, store
from tf_reference import checkpoint
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.official import OFFICIAL

# Those that the weights matter to: the exact gate has integers in their place.
GATES = ("structure", "float64", "float32")


def verify(source: Weights, result: Weights, network: Network | None = None) -> None:
    """Judges every layer of `network` (by default at the variant's own size) and prints the table of the gates.

    Where the background was left out, the official network has 1000 classes, too. Raises WeightsError, with the
    verdict, if a layer fails.
    """
    network = network or network_at(result.variant, DEFAULT_SIZES[result.variant][0])
    candidate = Converted(result)
    options = Options((network,), None, (), (OFFICIAL,), 0, os.cpu_count() or 1, candidate=candidate)
    layers = frozenset(port_layers(network.variant))
    selection = {(gate, network): layers for gate in GATES}
    classes = result.config.num_classes
    session = ParitySession(
        options, selection, SourceWeights(options, official_variables(source, classes), classes), step
    )
    results = [session.result(gate, network, layer) for gate in GATES for layer in layers]
    session.close()
    print(*table(session.tallies()), sep="\n")
    if not all(results):
        raise NotVerifiedError(f"the conversion is wrong, and is not put in place\n{_verdict(session)}")


def _verdict(session: ParitySession) -> str:
    lines = []
    for verdict in session.verdicts:
        lines += [verdict.head, *map(str, verdict.culprits[:DETAILED])]
        lines += [culprit.line for culprit in verdict.culprits[DETAILED:]]
    return "\n".join(lines).replace("\n", "\n  ")


def official_variables(source: Weights, classes: int) -> dict[str, np.ndarray]:
    """The source's weights as the official network of so many classes takes them in evaluation.

    Those of a TensorFlow checkpoint are read by TensorFlow itself, not by the port.
    """
    if source.stored.path.suffix in FORMATS:
        variables = store(outline(source.config), TF, source.state)
    else:
        with unpacked(source.stored.path) as prefix:
            variables = checkpoint.read(prefix)
    left_out = source.config.num_classes - classes
    return {
        name: array[..., left_out:] if "/FC/" in name else array
        for name, array in variables.items()
        if not name.startswith(AUX_HEAD)
    }


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The prefix of the checkpoint at `path`; that of an archive in a folder for as long as this lasts."""
    if not is_archive(path):
        yield path
        return
    opened, prefix = open_checkpoint(path)
    with TemporaryDirectory() as folder:
        for name in files_of(opened.names, prefix):
            (Path(folder) / Path(name).name).write_bytes(opened.read(name))
        yield Path(folder) / Path(prefix).name


class SourceWeights(LiveReference):
    """The official network of so many classes, with these weights in the place of a checkpoint's."""

    def __init__(self, options: Options, variables: Variables, classes: int) -> None:
        super().__init__(options)
        self._variables = variables
        self._classes = classes

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        spec = GraphSpec(network.variant, network.height, network.width, dtype, num_classes=self._classes)
        return reference_graph(self.official_sources[network.reference], spec)

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        expected = {name: variable.shape for name, variable in graph.variables.items()}
        checkpoint.check("the source", self._variables, expected)
        return self._variables


class Converted:
    """A candidate: the port with the weights that a conversion wrote."""

    name = "the conversion"
    gates: Sequence[str] = GATES
    replayable = True

    def __init__(self, weights: Weights) -> None:
        # The official network, too, has the auxiliary head in training alone.
        self._config = replace(weights.config, aux_image_size=None)
        self._state = weights.state

    def refuses(self, _network: Network) -> str:
        return ""

    def unobservable(self, _network: Network) -> frozenset[str]:
        return frozenset()

    def make(self, _network: Network, dtype: str) -> PNASNet:
        """The port, filled."""
        model = empty_network(self._config, getattr(torch, dtype))
        fill(model, self._state)
        return model

    def open(self, network: Network, dtype: str) -> CandidateRun:
        return ConvertedPort(network, dtype, self.make)

    def parts(self, network: Network) -> CandidateParts:
        return candidate_parts(network, self.make)


class ConvertedPort(Port):
    """One network of it in one dtype."""

    def load(self, variables: Mapping[str, np.ndarray]) -> None:
        """Leaves the weights as they were written: whether they are the official ones is the question."""
