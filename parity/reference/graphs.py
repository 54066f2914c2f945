"""Which official graphs the gates take, to be built before they are asked for."""

from collections.abc import Collection, Iterator

from parity.core.layers import Network
from parity.core.policy import STRUCTURE, TRAINING_GATES
from parity.core.training_names import EXACT, FORWARD_FLOAT32, GRADIENT_FLOAT32, STATISTICS, STEP
from tf_reference.backward import BACKWARD
from tf_reference.graph import REFERENCE, GraphSpec
from tf_reference.graph_cache import GraphKind
from tf_reference.training import TRAINING, WHOLE_STEPS


def graphs_of(selection: Collection[tuple[str, Network]]) -> Iterator[tuple[GraphKind, Network, GraphSpec]]:
    """Yield the graphs that each gate and network of the `selection` takes, some of them several times."""
    for gate, network in selection:
        for kind, dtype in _kinds(gate):
            yield kind, network, spec_of(network, dtype, training=kind in (TRAINING, WHOLE_STEPS))


def spec_of(network: Network, dtype: str, training: bool = False) -> GraphSpec:
    """Return the spec of a network's official graph."""
    return GraphSpec(network.variant, network.height, network.width, dtype, training)


def takes_weights(gate: str) -> bool:
    """Tell whether a gate takes the checkpoint, and neither integers nor shapes alone."""
    return gate in TRAINING_GATES or gate in ("float64", "float32")


def _kinds(gate: str) -> Iterator[tuple[GraphKind, str]]:
    """Yield the kind and dtype of each graph that a gate takes."""
    if gate in ("preprocess", "imagenet"):
        return
    # Variables are checked against this one, whatever the gate.
    yield REFERENCE, "float32"
    if gate in (STRUCTURE, "exact-float32"):
        return
    if gate not in TRAINING_GATES:
        yield REFERENCE, "float64"
        return
    yield TRAINING, "float64"
    if gate == STEP:
        yield WHOLE_STEPS, "float64"
    if gate == EXACT:
        yield BACKWARD, "float64"
    if gate in (FORWARD_FLOAT32, STATISTICS, GRADIENT_FLOAT32):
        yield TRAINING, "float32"
