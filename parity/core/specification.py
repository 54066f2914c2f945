"""What a run of parity compares, and the names of what it can be given."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from parity.core.files import printable
from parity.core.layers import Network
from parity.core.policy import GATES, TRAINING_GATES

PHOTOGRAPHS = Path(__file__).parents[1] / "photographs"
DEFAULT_IMAGES = ("chelsea.jpg", "coffee.jpg")
# References that are stored, beside the official network itself.
GOLDEN = "golden"
TRACE_SUFFIXES = (".h5", ".hdf5")
# Whose weights a candidate is judged with, unless they are a file's: the reference's, or what its function gives.
REFERENCE, OWN = "reference", "own"
COMPRESSIONS = ("none", "lzf", "gzip")


def is_stored(reference: str) -> bool:
    """Return whether the reference is what a network gave before, and no network to run."""
    return reference == GOLDEN or reference.endswith(TRACE_SUFFIXES)


def named(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the files by name, or by path where several have that name."""
    count = Counter(path.name for path in paths)
    by_name: dict[str, Path] = {}
    for path in paths:
        name = path.name if count[path.name] == 1 else str(path)
        by_name[printable(name)] = path
    return by_name


def labelled(references: Sequence[str]) -> dict[str, str]:
    """Return the references by label.

    The label of a reference alone is empty. Of several it is the kind, such as `pnasnet-tf` of `pnasnet-tf:PATH`,
    numbered from 1 where several are of that kind, so that no label begins another.
    """
    if len(references) == 1:
        return {"": references[0]}
    kinds = [reference.partition(":")[0] for reference in references]
    by_label: dict[str, str] = {}
    for place, reference in enumerate(references):
        kind = kinds[place]
        if kinds.count(kind) > 1:
            number = kinds[:place].count(kind) + 1
            by_label[f"{kind}-{number}"] = reference
        else:
            by_label[kind] = reference
    return by_label


@dataclass(frozen=True)
class GivenWeights:
    """The weights that a run was given: where they lie, of which variant, and the official network's variables by name.

    `sha256` stands for the content of what lies there, `which` for the weights that were taken where it holds several,
    and `notes` say what is not plain about that.
    """

    path: Path
    variant: str
    variables: Mapping[str, np.ndarray]
    sha256: str
    which: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """What the header calls them."""
        return f"{self.path}, {self.which}" if self.which else str(self.path)


@dataclass(frozen=True)
class Specification:
    """What a run compares: networks, weights, images and references, and on how many threads.

    Without a `checkpoint` the weights are synthetic, from the `seed`. Without `images` the networks take the
    photographs that come with parity in turn, one each, whatever the reference.
    """

    networks: tuple[Network, ...]
    checkpoint: GivenWeights | None
    images: tuple[Path, ...]
    references: tuple[str, ...]
    seed: int
    threads: int
    training: bool = False

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates that this run judges by."""
        return TRAINING_GATES if self.training else GATES

    def images_of(self, network: Network) -> tuple[Path, ...]:
        """Return the images that `network` is run on: in training all together, so both photographs."""
        if self.images:
            return self.images
        photographs = tuple(PHOTOGRAPHS / name for name in DEFAULT_IMAGES)
        if self.training:
            return photographs
        # In turn, each network counted once: it has the same photograph by every reference.
        networks = list(dict.fromkeys(map(_without_reference, self.networks)))
        turn = networks.index(_without_reference(network)) % len(photographs)
        return (photographs[turn],)

    @cached_property
    def preprocessed(self) -> dict[str, Path]:
        """The images whose preprocessing is judged, by name: those given, or all photographs that come with parity."""
        return named(self.images or sorted(PHOTOGRAPHS.glob("*.jpg")))

    @cached_property
    def image_hashes(self) -> dict[Path, str]:
        """SHA-256 of every image of the run."""
        hashes: dict[Path, str] = {}
        for network in self.networks:
            for path in self.images_of(network):
                content = path.read_bytes()
                hashes[path] = hashlib.sha256(content).hexdigest()
        return hashes

    @property
    def named_images(self) -> dict[str, Path]:
        """The images that the networks are run on, by name."""
        return named(list(self.image_hashes))


def _without_reference(network: Network) -> Network:
    """Return a network without the label of the reference that judges it."""
    return replace(network, reference="")
