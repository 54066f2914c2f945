"""All faults, by what is at fault."""

from parity.faults.fault import Fault
from parity.faults.heads import HEADS, REPORTING
from parity.faults.kernels import ACTIVATIONS, KERNELS, REDUCTION
from parity.faults.nonsquare import ROWS_AND_COLUMNS
from parity.faults.padding import PADDING, POOLS, STRIDES
from parity.faults.parameters import BATCH_NORM, VALUES
from parity.faults.states import INPUT, STATES

GROUPS: dict[str, tuple[Fault, ...]] = {
    "padding": PADDING,
    "strides": STRIDES,
    "pools": POOLS,
    "kernels": KERNELS,
    "activations": ACTIVATIONS,
    "factorized reduction": REDUCTION,
    "batch norms": BATCH_NORM,
    "weights": VALUES,
    "states and branches": STATES,
    "images": INPUT,
    "heads": HEADS,
    "reporting": REPORTING,
    "rows and columns": ROWS_AND_COLUMNS,
}
FAULTS = tuple(fault for group in GROUPS.values() for fault in group)
