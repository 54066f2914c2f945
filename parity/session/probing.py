"""Both networks as a failing gate runs them, to look at its failures more closely."""

from parity.diagnosis.probe import Probe
from parity.gates.context import NetworkContext


def open_probe(context: NetworkContext, gate: str) -> Probe:
    """Return both networks as `gate` runs them, with all their layers."""
    # The gates' own networks go no further than the layers that were selected.
    context.release()
    if gate.startswith("exact"):
        return _exact_probe(context, gate)
    variables = context.variables()
    images = context.images()[:1]
    double = context.sides("float64")
    single = None
    # In float32 a layer is measured from what the official network makes of float32 inputs in float64, which stored
    # values do not tell.
    if context.reference.knows == "network":
        single = context.sides("float32")
    double.load(variables)
    if single:
        single.load(variables)
    return Probe(context.network, "float64", double, images, variables, single)


def _exact_probe(context: NetworkContext, gate: str) -> Probe:
    """Return both networks with the integer network's weights, in the dtype of the exact `gate`."""
    dtype = gate.removeprefix("exact-")
    variables, images = context.exact_inputs(dtype)
    sides = context.sides(dtype)
    sides.load_exact(variables)
    return Probe(context.network, gate, sides, images, variables)
