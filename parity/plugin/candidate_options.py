"""What `--candidate` and `--training` ask for, checked, or a usage error that says what to give instead."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parity.core.errors import InputError
from parity.core.layers import Network
from parity.core.specification import GOLDEN, REFERENCE, TRACE_SUFFIXES
from parity.plugin.options import given
from parity.plugin.reference_options import references_of

if TYPE_CHECKING:
    from parity.candidate.interface import Candidate


def candidate_of(config: pytest.Config) -> "Candidate | None":
    """Return the candidate that is asked for; None for the port. Raises pytest.UsageError where it cannot be found."""
    name = given(config, "candidate")
    adapter = given(config, "adapter")
    weights = given(config, "candidate-weights")
    if not name:
        if adapter:
            raise pytest.UsageError("--adapter says how --candidate MODULE:CALLABLE is built, which is not given")
        if weights != REFERENCE:
            raise pytest.UsageError("--candidate-weights are of --candidate, which is not given")
        return None
    if given(config, "full-imagenet"):
        raise pytest.UsageError(f"--candidate {name} cannot go with --full-imagenet, which evaluates the port")
    has_official = given(config, "checkpoint") or references_of(config)[0].endswith(TRACE_SUFFIXES)
    if weights != REFERENCE and not has_official:
        raise pytest.UsageError(
            f"--candidate-weights {weights}: a candidate's own weights are judged beside the official ones: add "
            "--checkpoint PATH, or --reference FILE.h5, a trace"
        )
    from parity.candidate.find import find_candidate
    from parity.candidate.own_weights import own_weights_of

    adapter_file = Path(adapter) if adapter else None
    try:
        return find_candidate(name, adapter_file, own_weights_of(weights), given(config, "image-size") or ())
    except InputError as error:
        raise pytest.UsageError(f"--candidate: {error}") from error


def admitted(
    config: pytest.Config, networks: tuple[Network, ...], candidate: "Candidate | None"
) -> tuple[tuple[Network, ...], tuple[str, ...]]:
    """Return the networks that the candidate has, and why it is not judged on the others; the port has them all.

    Raises pytest.UsageError for one that was asked for and that it has not. A variant is asked for by its name, a size
    by `--image-size` for the variants that the candidate has at any of the sizes.
    """
    if candidate is None:
        return networks, ()
    reasons = {network: candidate.refuses(network) for network in networks}
    refused = {network: reason for network, reason in reasons.items() if reason}
    having = tuple(network for network in networks if network not in refused)
    variants = {network.variant for network in having}
    named = set(given(config, "variant") or ())
    sizes_are_asked = bool(given(config, "image-size"))
    # What was not asked for by name is left out and said; where nothing would be left, a run would judge nothing.
    for network, reason in refused.items():
        variant_is_asked = network.variant in named and network.variant not in variants
        size_is_asked = sizes_are_asked and network.variant in (named or variants)
        if not having or variant_is_asked or size_is_asked:
            raise pytest.UsageError(f"--candidate {candidate.name} cannot be judged as {network}: {reason}")
    return having, tuple(f"{network} is left out: {reason}" for network, reason in refused.items())


def training_of(config: pytest.Config, networks: Sequence[Network]) -> bool:
    """Tell whether training is judged. Raises pytest.UsageError where it is asked for and cannot be."""
    if not given(config, "training"):
        return False
    references = references_of(config)
    if len(references) > 1:
        raise pytest.UsageError(f"--training takes one --reference, and not {', '.join(references)}")
    if references[0] == GOLDEN:
        raise pytest.UsageError("--training cannot go with --reference golden, which holds nothing of it")
    for option in ("candidate", "full-imagenet"):
        if given(config, option):
            raise pytest.UsageError(f"--training judges the port alone: leave --{option} out")
    from parity.core.training_names import FORWARD, names

    try:
        for network in networks:
            names(FORWARD, network)
    except ValueError as error:  # no place for the auxiliary head
        raise pytest.UsageError(f"--training {network}: {error}") from error
    return True
