"""Faults between operations: what the combinations of a cell read.

States 0 and 1 of a cell come from its inputs net and prev, states 2 to 6 are the sums of its combinations 0 to 4.
Tensors are (N, C, H, W).
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from parity.faults.fault import Fault, below
from parity.faults.plant import Plant, States, inputs, part, rewire, usual
from parity.faults.sites import Places
from pnasnet_torch import PNASNet


def _with_inputs(function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Plant:
    """Return a plant that gives a cell what `function` makes of net and prev."""
    return lambda model, site: inputs(model, site, function)


def _operand(number: int, side: int, state: int) -> Plant:
    """Return a plant that takes one operand of combination `number`, left (0) or right (1), from another state."""

    def operands(current: int, states: States) -> tuple[Tensor, ...]:
        """Return the two states that combination `current` takes."""
        pair = list(usual(current, states))
        if current == number:
            pair[side] = states[state]
        return tuple(pair)

    return lambda model, site: rewire(model, site, operands)


def _pair_exchanged(model: PNASNet, site: str) -> None:
    """Run the two operations of combination 3 on each other's state."""

    def operands(number: int, states: States) -> tuple[Tensor, Tensor]:
        """Return the two states that combination `number` takes."""
        left, right = usual(number, states)
        if number == 3:
            return right, left
        return left, right

    rewire(model, site, operands)


def _from_the_cell_before(model: PNASNet, site: str) -> None:
    """Take the left operand of the first combination from the same state of the cell before."""
    number = int(site.rpartition("_")[2])
    states_before: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        """Keep the state, a layer's output."""
        states_before.append(output)

    part(model, f"cell_{number - 1}.beginning_bn").register_forward_hook(keep)

    def operands(current: int, states: States) -> tuple[Tensor, Tensor]:
        """Return the two states that combination `current` takes."""
        left, right = usual(current, states)
        if current == 0:
            # Taken out, as each run of the model adds one.
            return states_before.pop(), right
        return left, right

    rewire(model, site, operands)


def _followers(places: Places) -> list[str]:
    """Return the cells whose first state has the shape of that of the cell before."""
    followers = []
    for name in places.cells("normal"):
        # The stem's cells are counted apart, and cell_0 follows one of them.
        if "stem" in name or name.endswith("_0"):
            continue
        number = int(name.removeprefix("cell_"))
        if _shape_of_first_state(places, name) == _shape_of_first_state(places, f"cell_{number - 1}"):
            followers.append(name)
    return followers


def _shape_of_first_state(places: Places, cell: str) -> tuple[int | None, ...]:
    """Return the shape of a cell's state 0."""
    return places.graph.layers[f"{cell}.beginning_bn"].shape


def _same_and_normal(places: Places) -> list[str]:
    """Return the cells whose inputs are of the same shape and that keep the size of their maps."""
    normal = places.cells("normal")
    return [cell for cell in places.cells("same") if cell in normal]


def _in_place(relu: str) -> Plant:
    """Return a plant that makes the ReLU of this name in a cell overwrite its input."""
    return partial(_overwrite, relu=relu)


def _overwrite(model: PNASNet, cell: str, relu: str) -> None:
    """Make the ReLU of this name in a cell overwrite its input."""
    part(model, f"{cell}.{relu}").inplace = True


STATES = (
    # Inputs of the same shape: of others, the port would raise an error before it gave a wrong value.
    Fault(
        "hidden states reversed",
        lambda p: p.cells("same"),
        _with_inputs(lambda net, prev: (prev, net)),
        kind="wiring",
        at=below("relu", "relu_1"),
    ),
    Fault(
        "net given for prev",
        lambda p: p.cells("same"),
        _with_inputs(lambda net, _prev: (net, net)),
        kind="wiring",
        at=below("relu"),
    ),
    Fault(
        "prev given for net",
        lambda p: p.cells("same"),
        _with_inputs(lambda _net, prev: (prev, prev)),
        kind="wiring",
        at=below("relu_1"),
    ),
    Fault(
        "separable 7x7 on the other state",
        lambda p: p.cells("same"),
        _operand(number=1, side=0, state=1),
        kind="wiring",
        at=below("comb_iter_1.left.relu"),
    ),
    Fault(
        "max-pool on the other state",
        lambda p: p.cells("same"),
        _operand(number=0, side=1, state=0),
        kind="wiring",
        at=below("comb_iter_0.right.max_pool"),
    ),
    # Sums are of one shape in every cell.
    Fault(
        "separable 3x3 on another sum",
        lambda p: p.cells(),
        _operand(number=3, side=0, state=2),
        kind="wiring",
        at=below("comb_iter_3.left.relu"),
    ),
    # In a reduction cell, `none` is a 1x1 convolution: there another layer would get the other state first.
    Fault(
        "identity of the other state",
        _same_and_normal,
        _operand(number=4, side=1, state=1),
        kind="wiring",
        at=below("comb_iter_4.combine.add"),
    ),
    Fault(
        "operations of a pair exchanged",
        lambda p: p.cells("normal"),
        _pair_exchanged,
        kind="wiring",
        at=below("comb_iter_3.left.relu", "comb_iter_3.right.max_pool"),
    ),
    Fault(
        "a state of the cell before",
        _followers,
        _from_the_cell_before,
        kind="wiring",
        at=below("comb_iter_0.left.relu"),
    ),
    # At fault is the layer that reads what the ReLU overwrote.
    Fault(
        "ReLU in place before a shared use",
        lambda p: p.cells(),
        _in_place("comb_iter_0.left.relu"),
        kind="wiring",
        at=below("comb_iter_0.right.max_pool"),
    ),
    Fault(
        "ReLU in place on a sum",
        lambda p: p.cells(),
        _in_place("comb_iter_3.left.relu"),
        kind="wiring",
        at=below("cell_output.concat"),
    ),
)
