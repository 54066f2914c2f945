"""What `--variant` and `--image-size` ask for: networks, checked, or a usage error that says what to give instead."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from parity.core.layers import DEFAULT_SIZES, Network, network_at, parse_size
from parity.core.specification import labelled
from parity.plugin.options import given
from pnasnet_torch.genotype import VARIANTS
from tf_reference import official

if TYPE_CHECKING:
    from parity.reference.interface import StoredReference


def variants_of(config: pytest.Config) -> list[str]:
    """Return the variants that are asked for, each once. Raises pytest.UsageError for one that there is not."""
    variants: list[str] = list(dict.fromkeys(given(config, "variant") or []))
    for name in variants:
        if name not in VARIANTS:
            raise pytest.UsageError(f"--variant {name}: expected {' or '.join(VARIANTS)}")
    return variants


def networks_of(config: pytest.Config, asked: Sequence[str], references: Sequence[str]) -> tuple[Network, ...]:
    """Return the variants that are `asked` for, or else all, at each size, and for each reference that has them.

    Raises pytest.UsageError where a reference has not a variant that was asked for.
    """
    variants_by_reference = {reference: official.kind_of(reference).variants for reference in references}
    for reference, variants in variants_by_reference.items():
        for name in asked:
            if name not in variants:
                raise pytest.UsageError(
                    f"--variant {name}: --reference {reference} has PNASNet-5 {' and '.join(variants)} alone; without "
                    "--variant each reference is run as far as it goes"
                )
    networks: list[Network] = []
    for name in asked or VARIANTS:
        for size in _sizes(config, name):
            for label, reference in labelled(references).items():
                if name not in variants_by_reference[reference]:
                    continue
                networks.append(_network(name, size, label))
    # Each once: 224 and 224x224 are one network.
    return tuple(dict.fromkeys(networks))


def _sizes(config: pytest.Config, variant: str) -> tuple[str, ...]:
    """Return the sizes that are asked for, or the variant's own, in training the first of these."""
    sizes: list[str] = given(config, "image-size") or []
    if sizes:
        return tuple(sizes)
    usual = DEFAULT_SIZES[variant]
    if given(config, "training"):
        return usual[:1]
    return usual


def _network(variant: str, size: str, label: str) -> Network:
    """Return the variant at a size such as 331, as judged by the reference with this label."""
    try:
        return replace(network_at(variant, size), reference=label)
    except ValueError as error:
        raise pytest.UsageError(f"--image-size {error}") from error


def stored_networks_of(config: pytest.Config, stored: "StoredReference") -> tuple[Network, ...]:
    """Return the networks that are stored, of the variants and sizes that are asked for.

    Raises pytest.UsageError where one that was asked for, each variant at each size, is not stored.
    """
    variants: Sequence[str | None] = variants_of(config) or [None]
    sizes: Sequence[str | None] = given(config, "image-size") or [None]
    chosen: list[Network] = []
    for variant in variants:
        for size in sizes:
            matching = [network for network in stored.networks if _is_asked_for(network, variant, size)]
            if not matching:
                held = ", ".join(str(network) for network in stored.networks)
                # A stored reference is given alone.
                reference = given(config, "reference")[0]
                raise pytest.UsageError(f"--reference {reference} holds {held}, and not what is asked for")
            chosen += matching
    # In the order in which they are stored.
    return tuple(network for network in stored.networks if network in chosen)


def _is_asked_for(network: Network, variant: str | None, size: str | None) -> bool:
    """Tell whether the network is of the variant and of the size; None where any will do."""
    if variant is not None and network.variant != variant:
        return False
    return size is None or (network.height, network.width) == _size(size)


def _size(text: str) -> tuple[int, int]:
    """Return `331` or `300x480` as (height, width). Raises pytest.UsageError for anything else."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise pytest.UsageError(f"--image-size {error}") from error
