"""All faults, by what is at fault."""

from itertools import chain

from parity.faults.branches import BRANCHES
from parity.faults.fault import Fault
from parity.faults.heads import HEADS, REPORTING
from parity.faults.images import INPUT
from parity.faults.kernels import ACTIVATIONS, KERNELS
from parity.faults.nonsquare import ROWS_AND_COLUMNS
from parity.faults.padding import PADDING
from parity.faults.parameters import BATCH_NORM, VALUES
from parity.faults.reduction import REDUCTION
from parity.faults.states import STATES
from parity.faults.strides import POOLS, STRIDES

# The names and their order are those of docs/faults.json.
GROUPS: dict[str, tuple[Fault, ...]] = {
    "padding": PADDING,
    "strides": STRIDES,
    "pools": POOLS,
    "kernels": KERNELS,
    "activations": ACTIVATIONS,
    "factorized reduction": REDUCTION,
    "batch norms": BATCH_NORM,
    "weights": VALUES,
    "states and branches": (*STATES, *BRANCHES),
    "images": INPUT,
    "heads": HEADS,
    "reporting": REPORTING,
    "rows and columns": ROWS_AND_COLUMNS,
}
FAULTS = tuple(chain.from_iterable(GROUPS.values()))
