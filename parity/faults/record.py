"""What came of each trial, and the file that keeps it."""

import hashlib
import importlib.metadata
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from parity.core.code import digest_of_logic
from parity.core.errors import InputError
from parity.core.files import reading, replacing, writing
from parity.core.machine import cpu

# What outcomes depend on, with all that it imports.
CAMPAIGN = "parity.faults.campaign"
PACKAGES = ("torch", "tensorflow", "numpy", "polygraphy")


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    It has the gates that failed, the culprits that the verdict names and those that it should (layer to kind of fault),
    the simpler checks that raised an alarm (with the layer), and how long it took.
    """

    setting: str
    name: str
    site: str
    gates: tuple[str, ...]
    culprits: dict[str, str]
    expected: dict[str, str]
    alarms: dict[str, str]
    seconds: float

    @property
    def key(self) -> tuple[str, str, str]:
        """The key of the outcome's job."""
        return self.setting, self.name, self.site

    @property
    def right(self) -> bool:
        """Whether it is caught, with the verdict on just the layers at fault; or, where nothing is wrong, no alarm."""
        # The gates are asked for, too: a gate that fails without a culprit is an alarm.
        return self.culprits == self.expected and bool(self.gates) == bool(self.expected)


def fingerprint() -> str:
    """Return a digest of all that the outcomes depend on. Raise InputError where a package is missing."""
    try:
        versions = [importlib.metadata.version(name) for name in PACKAGES]
    except importlib.metadata.PackageNotFoundError as error:
        what = f"the fault catalogue needs {error.name}, to compare with"
        raise InputError(f"{what}: python -m pip install 'pnasnet-parity[tests]'") from error
    # The processor chooses kernels, and so the roundings.
    depended_on = digest_of_logic(CAMPAIGN), versions, cpu()
    return hashlib.sha256(repr(depended_on).encode()).hexdigest()


class Record:
    """Outcomes in a file of JSON lines, written as each comes, so that a run that was stopped or killed goes on.

    The first line is the fingerprint of what they depend on.
    """

    def __init__(self, path: Path) -> None:
        """Read the file, or begin it. Raise InputError if it holds outcomes of other code, versions or processor."""
        self.path = path
        self.outcomes: dict[tuple[str, str, str], Outcome] = {}
        header = json.dumps({"fingerprint": fingerprint()})
        with reading(path):
            content = path.read_text() if path.exists() else ""
        # Without the line that was being written when a run was killed.
        whole_lines = content[: content.rfind("\n") + 1] or f"{header}\n"
        first, *lines = whole_lines.splitlines()
        if first != header:
            raise InputError(f"{path} has outcomes of other code, versions or another processor: move it away")
        if whole_lines != content:
            with replacing(path) as temporary:
                temporary.write_text(whole_lines)
        for line in lines:
            outcome = _outcome(path, line)
            self.outcomes[outcome.key] = outcome

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome, and write it to the file."""
        self.outcomes[outcome.key] = outcome
        # Opened each time, so that the line is written when this returns.
        with writing(self.path), self.path.open("a") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")


def _outcome(path: Path, line: str) -> Outcome:
    """Return the outcome in a line of the file at `path`. Raise InputError if it holds none."""
    try:
        fields = json.loads(line)
        # JSON has lists alone.
        fields["gates"] = tuple(fields["gates"])
        return Outcome(**fields)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: this line is no outcome, take it out ({error}): {line[:200]}") from error
