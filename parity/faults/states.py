"""Faults between operations: the states of a cell, its branches and its output, and the images."""

import torch
from torch import Tensor

from parity.faults.fault import Fault, Plant, below
from parity.faults.plant import States, after, images, inputs, part, replace, rewire, usual
from parity.faults.sites import Places
from pnasnet_torch import PNASNet
from pnasnet_torch.operations import DropPath


def _operand(number: int, side: int, state: int) -> Plant:
    """One combination's operand taken from another state."""

    def operands(current: int, states: States) -> tuple[Tensor, ...]:
        pair = list(usual(current, states))
        if current == number:
            pair[side] = states[state]
        return tuple(pair)

    return lambda model, site: rewire(model, site, operands)


def _pair_exchanged(model: PNASNet, site: str) -> None:
    """The operations of combination 3 on each other's state."""

    def operands(number: int, states: States) -> tuple[Tensor, Tensor]:
        left, right = usual(number, states)
        return (right, left) if number == 3 else (left, right)

    rewire(model, site, operands)


def _from_the_cell_before(model: PNASNet, site: str) -> None:
    """The first combination's left operand is the same state of the cell before."""
    number = int(site.rpartition("_")[2])
    kept: list[Tensor] = []
    part(model, f"cell_{number - 1}.beginning_bn").register_forward_hook(lambda *row: kept.append(row[2]))

    def operands(current: int, states: States) -> tuple[Tensor, Tensor]:
        left, right = usual(current, states)
        return (kept.pop(), right) if current == 0 else (left, right)

    rewire(model, site, operands)


def _followers(places: Places) -> list[str]:
    """Cells whose first state has the shape of that of the cell before."""
    cells = [name for name in places.cells("normal") if not name.endswith("_0") and "stem" not in name]
    shape = {name: places.graph.layers[f"{name}.beginning_bn"].shape for name in places.cells()}
    return [name for name in cells if shape[name] == shape[f"cell_{int(name[5:]) - 1}"]]


def _in_place(relu: str) -> Plant:
    return lambda model, site: setattr(part(model, f"{site}.{relu}"), "inplace", True)


def _drop_path(model: PNASNet, site: str) -> None:
    """Active, and keeping every example: the branch is scaled."""
    drop_path = DropPath(keep_prob=0.999, depth=4, num_cells=5, total_steps=1)
    part(model, f"{site}.comb_iter_1").drop_path["left"] = drop_path.train()


STATES = (
    Fault(
        "hidden states reversed",
        lambda p: p.cells("same"),
        lambda m, s: inputs(m, s, lambda net, prev: (prev, net)),
        "wiring",
        below("relu", "relu_1"),
    ),
    Fault(
        "net given for prev",
        lambda p: p.cells("same"),
        lambda m, s: inputs(m, s, lambda net, _prev: (net, net)),
        "wiring",
        below("relu"),
    ),
    Fault(
        "prev given for net",
        lambda p: p.cells("same"),
        lambda m, s: inputs(m, s, lambda _net, prev: (prev, prev)),
        "wiring",
        below("relu_1"),
    ),
    Fault(
        "separable 7x7 on the other state",
        lambda p: p.cells("same"),
        _operand(1, 0, 1),
        "wiring",
        below("comb_iter_1.left.relu"),
    ),
    Fault(
        "max-pool on the other state",
        lambda p: p.cells("same"),
        _operand(0, 1, 0),
        "wiring",
        below("comb_iter_0.right.max_pool"),
    ),
    Fault(
        "separable 3x3 on another sum", lambda p: p.cells(), _operand(3, 0, 2), "wiring", below("comb_iter_3.left.relu")
    ),
    Fault(
        "identity of the other state",
        lambda p: [c for c in p.cells("same") if c in p.cells("normal")],
        _operand(4, 1, 1),
        "wiring",
        below("comb_iter_4.combine.add"),
    ),
    Fault(
        "operations of a pair exchanged",
        lambda p: p.cells("normal"),
        _pair_exchanged,
        "wiring",
        below("comb_iter_3.left.relu", "comb_iter_3.right.max_pool"),
    ),
    Fault("a state of the cell before", _followers, _from_the_cell_before, "wiring", below("comb_iter_0.left.relu")),
    Fault(
        "ReLU in place before a shared use",
        lambda p: p.cells(),
        _in_place("comb_iter_0.left.relu"),
        "wiring",
        below("comb_iter_0.right.max_pool"),
    ),
    Fault(
        "ReLU in place on a sum",
        lambda p: p.cells(),
        _in_place("comb_iter_3.left.relu"),
        "wiring",
        below("cell_output.concat"),
    ),
    Fault("right branch dropped", lambda p: p.layers(r".*\.add"), lambda m, s: replace(m, s, lambda left, right: left)),
    Fault("left branch dropped", lambda p: p.layers(r".*\.add"), lambda m, s: replace(m, s, lambda left, right: right)),
    Fault(
        "difference for sum",
        lambda p: p.layers(r".*\.add"),
        lambda m, s: replace(m, s, lambda left, right: left - right),
    ),
    Fault(
        "mean for sum",
        lambda p: p.layers(r".*\.add"),
        lambda m, s: replace(m, s, lambda left, right: (left + right) / 2),
    ),
    Fault(
        "concatenated in reverse",
        lambda p: p.layers(r".*\.cell_output\.concat"),
        lambda m, s: replace(m, s, lambda *parts: torch.cat(parts[::-1], 1)),
    ),
    Fault(
        "last two parts exchanged",
        lambda p: p.cells(),
        lambda m, s: rewire(m, s, outputs=(2, 3, 4, 6, 5)),
        "wiring",
        below("cell_output.concat"),
    ),
    Fault(
        "a part concatenated twice",
        lambda p: p.cells(),
        lambda m, s: rewire(m, s, outputs=(2, 3, 4, 5, 5)),
        "wiring",
        below("cell_output.concat"),
    ),
    Fault(
        "a part left out",
        lambda p: p.cells(),
        lambda m, s: rewire(m, s, outputs=(2, 3, 4, 5)),
        "wiring",
        below("cell_output.concat"),
    ),
    Fault("drop path active", lambda p: p.cells(), _drop_path, "wiring", below("comb_iter_1.combine.add")),
)
INPUT = (
    Fault("BGR", lambda _: ["conv0"], lambda m, _: images(m, lambda x: x.flip(1)), "wiring"),
    Fault("pixels from 0 to 1", lambda _: ["conv0"], lambda m, _: images(m, lambda x: x / 2 + 0.5), "wiring"),
    Fault("pixels from 0 to 255", lambda _: ["conv0"], lambda m, _: images(m, lambda x: (x + 1) * 127.5), "wiring"),
    Fault(
        "mean and deviation of ImageNet",
        lambda _: ["conv0"],
        lambda m, _: images(m, lambda x: (x / 2 + 0.5 - 0.45) / 0.225),
        "wiring",
    ),
    Fault("image turned", lambda _: ["conv0"], lambda m, _: images(m, lambda x: x.transpose(2, 3)), "wiring"),
    Fault("image mirrored", lambda _: ["conv0"], lambda m, _: images(m, lambda x: x.flip(3)), "wiring"),
    Fault("image shifted by a pixel", lambda _: ["conv0"], lambda m, _: images(m, lambda x: x.roll(1, 3)), "wiring"),
    Fault(
        "stem scaled",
        lambda _: ["conv0"],
        lambda m, s: after(m, s, lambda x: x * 0.9),
    ),
)
