"""`--training`, checked, or a usage error that says what to leave out."""

from collections.abc import Sequence

import pytest

from parity.layers import Network
from parity.reference_option import one_running


def training_of(config: pytest.Config, networks: Sequence[Network]) -> bool:
    """Whether training is judged. Raises pytest.UsageError where it cannot be."""
    if not config.getoption("training"):
        return False
    one_running(config, "--training")
    for option in ("candidate", "record", "full_imagenet"):
        if config.getoption(option):
            name = f"--{option.replace('_', '-')}"
            raise pytest.UsageError(f"--training judges the port by the official network as it runs: leave {name} out")
    from parity.training.names import FORWARD, names

    try:
        for network in networks:
            names(FORWARD, network)
    except ValueError as error:  # no place for the auxiliary head
        raise pytest.UsageError(f"--training {network}: {error}") from error
    return True
