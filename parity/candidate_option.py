"""What `--candidate` names, checked, or a usage error that says what to give instead."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parity.layers import Network
from tf_reference.errors import InputError

if TYPE_CHECKING:
    from parity.candidates.candidate import Candidate


def candidate_of(config: pytest.Config) -> "Candidate | None":
    """The candidate that is asked for, if one is."""
    name, adapter = config.getoption("candidate"), config.getoption("adapter")
    if not name:
        if adapter:
            raise pytest.UsageError("--adapter says how --candidate MODULE:CALLABLE is built, which is not given")
        return None
    if config.getoption("full_imagenet"):
        raise pytest.UsageError(f"--candidate {name} cannot go with --full-imagenet, which evaluates the port")
    from parity.candidates.find import find_candidate

    try:
        return find_candidate(name, Path(adapter) if adapter else None, config.getoption("threads"))
    except InputError as error:
        raise pytest.UsageError(f"--candidate: {error}") from error


def admitted(config: pytest.Config, networks: tuple[Network, ...], candidate: "Candidate") -> tuple[Network, ...]:
    """The networks that the candidate has. One that was asked for and that it has not is an error; a variant was not
    asked for where none was named."""
    refused = {network: reason for network in networks if (reason := candidate.refuses(network))}
    having = tuple(network for network in networks if network not in refused)
    named = config.getoption("variant") or [network.variant for network in having]
    asked = [network for network in refused if not having or network.variant in named]
    if asked and (not having or config.getoption("variant") or config.getoption("image_size")):
        raise pytest.UsageError(f"--candidate {candidate.name} cannot be judged as {asked[0]}: {refused[asked[0]]}")
    return having
