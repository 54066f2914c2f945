"""What came of each trial, and the file that keeps it."""

import hashlib
import importlib.metadata
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from parity.core.code import digest_of_logic
from parity.core.errors import InputError
from parity.core.machine import cpu

# What outcomes depend on, with all that it imports.
CAMPAIGN = "parity.faults.campaign"
PACKAGES = ("torch", "tensorflow", "numpy", "polygraphy")


@dataclass(frozen=True)
class Outcome:
    """What came of a job: the gates that failed, the culprits that the verdict names and those that it should (layer to
    kind of fault), and the simpler checks that raised an alarm (with the layer)."""

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
        return self.setting, self.name, self.site

    @property
    def right(self) -> bool:
        """Caught, with the verdict on just the layers at fault; or, where nothing is wrong, no alarm."""
        return self.culprits == self.expected and bool(self.gates) == bool(self.expected)


def fingerprint() -> str:
    """A digest of all that the outcomes depend on. Raises InputError where a package is missing."""
    try:
        versions = [importlib.metadata.version(name) for name in PACKAGES]
    except importlib.metadata.PackageNotFoundError as error:
        what = f"the fault catalogue needs {error.name}, to compare with"
        raise InputError(f"{what}: python -m pip install 'pnasnet-parity[tests]'") from error
    return hashlib.sha256(repr((digest_of_logic(CAMPAIGN), versions, cpu())).encode()).hexdigest()


class Record:
    """Outcomes in a file of JSON lines, written as each comes, so that a run that was stopped or killed goes on."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if the file holds outcomes of other code, versions or another processor."""
        self.path = path
        self.outcomes: dict[tuple[str, str, str], Outcome] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_text() if path.exists() else ""
        whole = content[: content.rfind("\n") + 1]  # without the line that was being written when a run was killed
        first, *lines = whole.splitlines() or [json.dumps({"fingerprint": fingerprint()})]
        if first != json.dumps({"fingerprint": fingerprint()}):
            raise InputError(f"{path} has outcomes of other code, versions or another processor: move or remove it")
        if whole != content or not whole:
            path.write_text(whole or f"{first}\n")
        for line in lines:
            row = json.loads(line)
            outcome = Outcome(**row | {"gates": tuple(row["gates"])})
            self.outcomes[outcome.key] = outcome

    def add(self, outcome: Outcome) -> None:
        self.outcomes[outcome.key] = outcome
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
