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


def admitted(
    config: pytest.Config, networks: tuple[Network, ...], candidate: "Candidate"
) -> tuple[tuple[Network, ...], tuple[str, ...]]:
    """The networks that the candidate has, and why it is not judged on the others.

    One that was asked for and that it has not is an error. A variant is asked for by its name, a size by `--image-size`
    for the variants that the candidate has at any of the sizes.
    """
    refused = {network: candidate.refuses(network) for network in networks if candidate.refuses(network)}
    having = tuple(network for network in networks if network not in refused)
    variants = {network.variant for network in having}
    named = set(config.getoption("variant") or ())
    sizes_are_asked = bool(config.getoption("image_size"))
    for network, reason in refused.items():
        variant_is_asked = network.variant in named and network.variant not in variants
        size_is_asked = sizes_are_asked and network.variant in (named or variants)
        if not having or variant_is_asked or size_is_asked:
            raise pytest.UsageError(f"--candidate {candidate.name} cannot be judged as {network}: {reason}")
    return having, tuple(f"{network} is left out: {reason}" for network, reason in refused.items())
