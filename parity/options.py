"""pytest's options for parity, and what a run compares."""

import hashlib
import os
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parity.imagenet.options import SETTINGS
from parity.imagenet.options import add_options as add_evaluation_options
from parity.layers import Network
from parity.policy import GATES, TRAINING_GATES
from pnasnet_torch.genotype import VARIANTS

if TYPE_CHECKING:
    from parity.candidates.candidate import Candidate
    from parity.sources import StoredSource

PHOTOGRAPHS = Path(__file__).with_name("photographs")
DEFAULT_IMAGES = ("chelsea.jpg", "coffee.jpg")
# References that are stored, beside the official network itself.
GOLDEN, TRACE_SUFFIXES = "golden", (".h5", ".hdf5")
COMPRESSIONS = ("none", "lzf", "gzip")
DEFAULTS = {"candidate": None, "adapter": None, "checkpoint": None, "seed": 0, "threads": os.cpu_count() or 1}


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
class Options:
    """What a run compares: networks, weights, images, the references, and on how many threads.

    Without `images` the networks take the photographs that come with parity in turn, one each, whatever the reference.
    Where that is `stored`, weights and images are what it holds. Without a `candidate`, it is the port.
    """

    networks: tuple[Network, ...]
    checkpoint: Path | None
    images: tuple[Path, ...]
    references: tuple[str, ...]
    seed: int
    threads: int
    arguments: tuple[str, ...]
    report: Path | None = None
    record: Path | None = None
    compression: str = "none"
    stored: "StoredSource | None" = field(default=None, compare=False)
    candidate: "Candidate | None" = field(default=None, compare=False)
    training: bool = False
    # Why the candidate is not judged on some of the networks that a plain run has.
    left_out: tuple[str, ...] = ()

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

    def image_names(self, network: Network) -> Sequence[str]:
        """The names of the images whose preprocessing is judged."""
        return self.stored.names("preprocess", network) if self.stored else list(self.preprocessed)

    @cached_property
    def image_hashes(self) -> dict[Path, str]:
        """SHA-256 of every image of the run."""
        paths = [path for network in self.networks for path in self.images_of(network)]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    @property
    def named_images(self) -> dict[str, Path]:
        """The images that the networks are run on, by name."""
        return named(list(self.image_hashes))

    @property
    def judged(self) -> str:
        """What is compared with the reference."""
        return self.candidate.name if self.candidate else "the port"

    @cached_property
    def unseen(self) -> dict[Network, frozenset[str]]:
        """The official layers of each network that what is judged does not show."""
        candidate = self.candidate
        return {network: candidate.unseen(network) if candidate else frozenset() for network in self.networks}

    def command(self, *selection: str) -> str:
        """The command that runs the tests of this `selection` with these options again."""
        return shlex.join(["pytest", *selection, *self.arguments])


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup(
        "parity", "parity of PNASNet-5 in PyTorch with the official TF-Slim network (pytest parity)"
    )
    group.addoption(
        "--variant", action="append", metavar="NAME", help=f"{' or '.join(VARIANTS)}; repeatable (default: both)"
    )
    group.addoption(
        "--image-size",
        action="append",
        metavar="SIZE",
        help="pixels: a side such as 331, or HEIGHTxWIDTH such as 300x480; repeatable "
        "(default: large 331, 323 and 97x131, mobile 224 and 97x131)",
    )
    group.addoption(
        "--checkpoint",
        metavar="PREFIX",
        help="a TensorFlow checkpoint (V2 prefix or V1 file) of the one --variant given; "
        "default: a synthetic one, made on first use",
    )
    group.addoption(
        "--images",
        action="append",
        metavar="PATH",
        help="a JPEG or PNG file, or a folder of them; repeatable "
        "(default: each network takes one of two photographs that come with parity)",
    )
    group.addoption(
        "--reference",
        action="append",
        metavar="SOURCE",
        help="official: the pinned source, fetched on first use (default); slim:PATH: the folder that holds nets/, "
        "as research/slim in a checkout of tensorflow/models; pnasnet-tf:PATH: a checkout of chenxi116/PNASNet.TF; "
        "repeatable; without TensorFlow: FILE.h5, a trace from --record, or golden, the digests that come with parity",
    )
    group.addoption(
        "--training",
        action="store_true",
        help="judge training instead of evaluation: a forward in training mode, moving statistics, the loss, the "
        "gradients at every layer and variable, and whole steps of the optimiser (default sizes: large 331, mobile "
        "224)",
    )
    group.addoption(
        "--candidate",
        metavar="WHAT",
        help="judge this in the place of the port: another implementation (timm, pytorchcv, pretrainedmodels, "
        "pnasnet-pytorch:PATH with a checkout of chenxi116/PNASNet.pytorch, or MODULE:CALLABLE), the port in another "
        "form or under an engine (channels_last, inference, traced, compile, export, onnxruntime, openvino), or "
        "another reference (official, slim:PATH, pnasnet-tf:PATH)",
    )
    group.addoption(
        "--adapter",
        metavar="FILE.toml",
        help="what the modules of --candidate MODULE:CALLABLE are called, where its names are not those of a known "
        "implementation (see parity/candidates/adapter.py)",
    )
    group.addoption(
        "--record",
        metavar="FILE.h5",
        help="write what the official network computes into a trace (HDF5), for --reference and python -m parity.trace",
    )
    group.addoption(
        "--record-compression",
        default="none",
        choices=COMPRESSIONS,
        help="of the trace: none (default), lzf or gzip, smaller and many times slower",
    )
    group.addoption(
        "--seed",
        type=int,
        default=DEFAULTS["seed"],
        metavar="N",
        help="of the synthetic checkpoint and the integer network (default: 0)",
    )
    group.addoption(
        "--threads",
        type=int,
        default=DEFAULTS["threads"],
        metavar="N",
        help="threads that each framework computes on (default: all cores, here %(default)s)",
    )
    group.addoption(
        "--report",
        metavar="DIR",
        help="folder to write report.html and report.json into: what was judged, drawn and layer by layer",
    )
    _add_evaluation(parser)


def _add_evaluation(parser: pytest.Parser) -> None:
    group = parser.getgroup("imagenet", "evaluation of both models on ImageNet (pytest --full-imagenet)")
    group.addoption(
        "--full-imagenet",
        action="store_true",
        help="evaluate both models on the validation set; continues where an earlier run was stopped",
    )
    add_evaluation_options(group.addoption)
    for name in SETTINGS:
        parser.addini(name, f"default of --{name} with --full-imagenet, relative to this file")
