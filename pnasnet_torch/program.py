"""A network's part as a list of calls, without the containers that the modules lie in."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torch import nn


class Step(NamedTuple):
    """A call of `module` with the values in the slots that it `reads`, whose output goes to the slot that it `writes`.

    The slots `spent` are not read again.
    """

    module: nn.Module
    reads: tuple[int, ...]
    writes: int
    spent: tuple[int, ...]


class Program:
    """Calls of modules on numbered slots, the first of which hold the `inputs`.

    The same module on the same slots is called once, however often the call is added.
    """

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        # The slot of each call's output. Behind the inputs, slots are numbered in the order of the calls.
        self._calls: dict[tuple[nn.Module, tuple[int, ...]], int] = {}

    def call(self, module: nn.Module, *reads: int) -> int:
        """Add a call of `module` on the slots that it `reads`, and return the slot of its output."""
        return self._calls.setdefault((module, reads), self._inputs + len(self._calls))

    def chain(self, modules: Iterable[nn.Module], slot: int) -> int:
        """Add a call of each module on the output of the one before, the first on `slot`; return the last one's."""
        for module in modules:
            slot = self.call(module, slot)
        return slot

    def steps(self, outputs: Sequence[int]) -> tuple[Step, ...]:
        """Return all calls in their order. The `outputs` are never spent."""
        # The last call that reads a slot, told by the slot that it writes.
        last_reader: dict[int, int] = {}
        for (_, reads), writes in self._calls.items():
            for slot in reads:
                last_reader[slot] = writes
        steps = []
        for (module, reads), writes in self._calls.items():
            spendable = set(reads) - set(outputs)
            spent = tuple(slot for slot in spendable if last_reader[slot] == writes)
            steps.append(Step(module, reads, writes, spent))
        return tuple(steps)
