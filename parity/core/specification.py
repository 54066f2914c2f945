"""What a run of parity compares, and the names of what it can be given."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from parity.core.layers import Network
from parity.core.policy import GATES, TRAINING_GATES

PHOTOGRAPHS = Path(__file__).parents[1] / "photographs"
DEFAULT_IMAGES = ("chelsea.jpg", "coffee.jpg")
# References that are stored, beside the official network itself.
GOLDEN, TRACE_SUFFIXES = "golden", (".h5", ".hdf5")
COMPRESSIONS = ("none", "lzf", "gzip")


def is_stored(reference: str) -> bool:
    """Whether that is no network to run, but what one gave before."""
    return reference == GOLDEN or reference.endswith(TRACE_SUFFIXES)


def named(paths: Sequence[Path]) -> dict[str, Path]:
    """The files by name, or by path where several have that name."""
    count = Counter(path.name for path in paths)
    return {path.name if count[path.name] == 1 else str(path): path for path in paths}


def labelled(references: Sequence[str]) -> dict[str, str]:
    """The references by label: none where there is one alone, else its kind, numbered where there are more of it."""
    kinds = [reference.partition(":")[0] for reference in references]
    labels = [
        f"{kind}-{kinds[:place].count(kind) + 1}" if kinds.count(kind) > 1 else kind for place, kind in enumerate(kinds)
    ]
    return dict(zip(labels if len(labels) > 1 else [""], references, strict=True))


@dataclass(frozen=True)
class Specification:
    """What is compared: networks, weights, images, the references, and on how many threads.

    Without a `checkpoint` the weights are synthetic, from the `seed`. Without `images` the networks take the
    photographs that come with parity in turn, one each, whatever the reference.
    """

    networks: tuple[Network, ...]
    checkpoint: Path | None
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
        """The images that `network` is run on: in training all together, so both photographs."""
        if self.training:
            return self.images or tuple(PHOTOGRAPHS / name for name in DEFAULT_IMAGES)
        alone = [replace(one, reference="") for one in self.networks]
        turn = list(dict.fromkeys(alone)).index(replace(network, reference="")) % len(DEFAULT_IMAGES)
        return self.images or (PHOTOGRAPHS / DEFAULT_IMAGES[turn],)

    @cached_property
    def preprocessed(self) -> dict[str, Path]:
        """The images whose preprocessing is judged, by name: those given, or all photographs that come with parity."""
        return named(self.images or sorted(PHOTOGRAPHS.glob("*.jpg")))

    @cached_property
    def image_hashes(self) -> dict[Path, str]:
        """SHA-256 of every image of the run."""
        paths = [path for network in self.networks for path in self.images_of(network)]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    @property
    def named_images(self) -> dict[str, Path]:
        """The images that the networks are run on, by name."""
        return named(list(self.image_hashes))
