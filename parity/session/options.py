"""What a run judges, by what, and what it writes."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from parity.candidate.interface import Candidate, OwnPort
from parity.candidate.observable import shown
from parity.core.code import Origin
from parity.core.layers import Network
from parity.core.machine import memory
from parity.core.specification import Specification
from parity.reference.interface import StoredReference

# The bytes that computing ahead takes of a machine, on both sides together, by variant.
ROOM = {"large": 6e9, "mobile": 3e9}


@dataclass(frozen=True)
class Options(Specification):
    """What a run compares, with what takes the places of the port and of the official network as it runs.

    Where the reference is `stored`, weights and images are what it holds. Without a `candidate`, the port is judged.
    `arguments` are pytest's, to repeat the run, and `suite` is what they call the suite: its path, or as a `module`.
    `report` is the folder that the report is written to, `record` the file of the trace, with its `compression`, and
    `reproduce` the folder for the faults.
    """

    arguments: tuple[str, ...] = ()
    suite: str = "parity"
    module: bool = False
    report: Path | None = None
    record: Path | None = None
    reproduce: Path | None = None
    compression: str = "none"
    stored: StoredReference | None = field(default=None, compare=False)
    candidate: Candidate | None = field(default=None, compare=False)
    # Why the candidate is not judged on some of the networks that a plain run has.
    left_out: tuple[str, ...] = ()

    def image_names(self, network: Network) -> Sequence[str]:
        """Return the names of the images whose preprocessing is judged."""
        if self.stored:
            return self.stored.names("preprocess", network)
        return list(self.preprocessed)

    @property
    def has_room(self) -> bool:
        """Whether there is the memory to compute the official network ahead of the candidate."""
        return memory() >= max(ROOM[network.variant] for network in self.networks)

    @property
    def judged(self) -> str:
        """The name of what is compared with the reference."""
        return self.candidate.name if self.candidate else "the port"

    @property
    def origin(self) -> Origin:
        """Which code is compared with the reference."""
        return (self.candidate or OwnPort()).origin

    @property
    def shown(self) -> list[str]:
        """A sentence on each network that says what a candidate shows of it; none where the port is judged."""
        if not self.candidate:
            return []
        return list(shown(self.judged, self.unobservable))

    @cached_property
    def unobservable(self) -> dict[Network, frozenset[str]]:
        """The official layers of each network that what is judged does not show."""
        if not self.candidate:
            return dict.fromkeys(self.networks, frozenset())
        return {network: self.candidate.unobservable(network) for network in self.networks}

    def command(self, *selection: str) -> str:
        """Return the command that runs the suite's tests of this `selection` with these options again."""
        suite = ["--pyargs", self.suite] if self.module else [self.suite]
        return shlex.join(["pytest", *suite, *selection, *self.arguments])

    def command_of(self, file: str, test: str) -> str:
        """Return the command that runs one test of a file of the suite, such as test_exact.py."""
        if self.module:
            test_module = f"{self.suite}.{file.removesuffix('.py')}"
            return shlex.join(["pytest", "--pyargs", f"{test_module}::{test}", *self.arguments])
        return shlex.join(["pytest", f"{self.suite}/{file}::{test}", *self.arguments])
