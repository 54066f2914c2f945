"""A network's part as a list of calls, without the containers that the modules lie in."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torch import nn


class Step(NamedTuple):
    """A call of `module` with the values in the slots that it `reads`. Those `spent` are not read again."""

    module: nn.Module
    reads: tuple[int, ...]
    writes: int
    spent: tuple[int, ...]


class Program:
    """Calls of modules on numbered slots, the first of which hold the `inputs`. A call that is made again is one."""

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        self._calls: dict[tuple[nn.Module, tuple[int, ...]], int] = {}

    def call(self, module: nn.Module, *reads: int) -> int:
        """The slot of its output."""
        return self._calls.setdefault((module, reads), self._inputs + len(self._calls))

    def chain(self, modules: Iterable[nn.Module], slot: int) -> int:
        """One behind the other, the first on `slot`; the slot of the last one's output."""
        for module in modules:
            slot = self.call(module, slot)
        return slot

    def steps(self, outputs: Sequence[int]) -> tuple[Step, ...]:
        """All calls in their order. The `outputs` are never spent."""
        last = {slot: writes for (_, reads), writes in self._calls.items() for slot in reads}
        return tuple(
            Step(module, reads, writes, tuple(slot for slot in {*reads} - {*outputs} if last[slot] == writes))
            for (module, reads), writes in self._calls.items()
        )
