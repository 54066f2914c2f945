"""The gates on a conversion: the official network with the source's weights, the port with the target's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from parity.candidate.interface import Candidate, CandidateRun
from parity.candidate.parts import CandidateParts, candidate_parts
from parity.candidate.port import Port
from parity.convert.request import NotVerifiedError
from parity.convert.status import step
from parity.core.layers import DEFAULT_SIZES, Network, network_at, port_layers
from parity.core.machine import default_threads
from parity.core.weights import official_variables
from parity.reference.interface import Variables
from parity.reference.live import LiveReference
from parity.session.options import Options
from parity.session.session import ParitySession
from parity.session.table import table
from pnasnet_torch import PNASNet
from pnasnet_torch.naming import is_of_head
from pnasnet_torch.source import Weights
from pnasnet_torch.weights import empty_network, fill
from tf_reference import checkpoint
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.official import OFFICIAL

# Those that the weights matter to: the exact gate has integers in their place.
GATES = ("structure", "float64", "float32")


def verify(source: Weights, result: Weights, network: Network | None = None) -> None:
    """Judge every layer of `network` (by default at the variant's own size) and print the table of the gates.

    Where the background was left out, the official network has 1000 classes, too. Raises NotVerifiedError, with the
    verdict, if a layer fails.
    """
    if network is None:
        network = network_at(result.variant, DEFAULT_SIZES[result.variant][0])
    classes = result.config.num_classes
    # The source's weights take the place of a checkpoint's and of synthetic ones, so that the seed does not matter.
    options = Options(
        networks=(network,),
        checkpoint=None,
        images=(),
        references=(OFFICIAL,),
        seed=0,
        threads=default_threads(),
        candidate=Converted(result),
    )
    reference = SourceWeights(options, evaluation_variables(source, classes), classes)
    layers = frozenset(port_layers(network.variant))
    session = ParitySession(options, {(gate, network): layers for gate in GATES}, reference, step)
    results = [session.result(gate, network, layer) for gate in GATES for layer in layers]
    session.close()
    print(*table(session.tallies()), sep="\n")
    if not all(results):
        verdicts = "\n".join(map(str, session.verdicts))
        raise NotVerifiedError(f"the conversion is wrong, and is not put in place\n{verdicts}")


def evaluation_variables(source: Weights, classes: int) -> dict[str, np.ndarray]:
    """Return the source's weights as the official network of so many classes takes them in evaluation."""
    left_out = source.config.num_classes - classes
    official = {}
    for name, array in official_variables(source).items():
        # The official network has the auxiliary head in training alone.
        if is_of_head(name):
            continue
        # In TensorFlow's layouts classes are the last axis; the background is their first.
        official[name] = array[..., left_out:] if "/FC/" in name else array
    return official


class SourceWeights(LiveReference):
    """The official network of so many classes, with these weights in the place of a checkpoint's."""

    def __init__(self, options: Options, variables: Variables, classes: int) -> None:
        super().__init__(options)
        self._variables = variables
        self._classes = classes

    def graph(self, network: Network, dtype: str) -> ReferenceGraph:
        """Return the official graph of the network in `dtype`, with the number of classes."""
        spec = GraphSpec(network.variant, network.height, network.width, dtype, num_classes=self._classes)
        return reference_graph(self.official_sources[network.reference], spec)

    def variables(self, network: Network, graph: ReferenceGraph) -> Variables:
        """Return the source's weights. Raises InputError, listing all, where they do not fit the graph."""
        expected_shapes = {name: variable.shape for name, variable in graph.variables.items()}
        checkpoint.check("the source", self._variables, expected_shapes)
        return self._variables


class Converted(Candidate):
    """A candidate: the port with the weights that a conversion wrote."""

    name = "the conversion"
    gates: Sequence[str] = GATES
    replayable = True

    def __init__(self, weights: Weights) -> None:
        # The official network, too, has the auxiliary head in training alone.
        self._config = replace(weights.config, aux_image_size=None)
        self._state = weights.state

    def make(self, _network: Network, dtype: str) -> PNASNet:
        """Return the port in `dtype`, filled with the converted weights."""
        model = empty_network(self._config, getattr(torch, dtype))
        fill(model, self._state)
        return model

    def open(self, network: Network, dtype: str) -> CandidateRun:
        """Return one network of the port in one dtype, filled with the converted weights."""
        return ConvertedPort(network, dtype, self.make)

    def parts(self, network: Network) -> CandidateParts:
        """Return the layers and variables that the port has, with their shapes and dtypes."""
        return candidate_parts(network, self.make)


class ConvertedPort(Port):
    """One network of the port in one dtype, with the weights that a conversion wrote."""

    def load(self, variables: Mapping[str, np.ndarray]) -> None:
        """Leave the weights as they were written: whether they are the official ones is the question."""
