"""`--training`, checked, or a usage error that says what to leave out."""

from collections.abc import Sequence

import pytest

from parity.layers import Network
from parity.options import GOLDEN
from parity.reference_option import references_of


def training_of(config: pytest.Config, networks: Sequence[Network]) -> bool:
    """Whether training is judged. Raises pytest.UsageError where it cannot be."""
    if not config.getoption("training"):
        return False
    reference, *more = references_of(config)
    if more:
        raise pytest.UsageError(f"--training takes one --reference, and not {', '.join((reference, *more))}")
    if reference == GOLDEN:
        raise pytest.UsageError("--training cannot go with --reference golden, which holds nothing of it")
    for option in ("candidate", "full_imagenet"):
        if config.getoption(option):
            raise pytest.UsageError(f"--training judges the port alone: leave --{option.replace('_', '-')} out")
    from parity.training.names import FORWARD, names

    try:
        for network in networks:
            names(FORWARD, network)
    except ValueError as error:  # no place for the auxiliary head
        raise pytest.UsageError(f"--training {network}: {error}") from error
    return True
