"""Which code of the suite runs: its version, where it lies, and of which commit it is."""

import importlib.metadata
import json
import subprocess
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
DISTRIBUTION = "pnasnet-parity"


def version() -> str:
    """The installed distribution's version."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def commit() -> str:
    """The commit of the checkout that the code lies in, with "changed" if it was; of an installation from git, that
    one's; empty where neither is known."""
    checkout = PACKAGE.parent
    if (checkout / ".git").exists():
        try:
            command = ["git", "describe", "--always", "--abbrev=12", "--dirty=, changed", "--exclude=*"]
            return subprocess.run(
                command, cwd=checkout, capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return ""
    try:
        origin = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return ""
    found = json.loads(origin) if origin else {}
    return str(found.get("vcs_info", {}).get("commit_id", ""))[:12]


def code_in_words() -> str:
    """Version, place and commit, in one line."""
    known = commit()
    return f"{DISTRIBUTION} {version()} in {PACKAGE.parent}" + (f" (commit {known})" if known else "")
