"""pytest's options for parity. Each has a second name, --parity-NAME, for where another plugin has the first."""

import os
from typing import Any

import pytest

from parity.core.machine import default_threads
from parity.core.specification import COMPRESSIONS, REFERENCE
from parity.imagenet.options import OPTIONS as EVALUATION
from parity.imagenet.options import SETTINGS
from pnasnet_torch.genotype import VARIANTS
from pnasnet_torch.selection import WHICH

OPTIONS: dict[str, dict[str, Any]] = {
    "variant": {"action": "append", "metavar": "NAME", "help": f"{' or '.join(VARIANTS)}; repeatable (default: both)"},
    "image-size": {
        "action": "append",
        "metavar": "SIZE",
        "help": (
            "pixels: a side such as 331, or HEIGHTxWIDTH such as 300x480; repeatable "
            "(default: large 331, 323 and 97x131, mobile 224 and 97x131)"
        ),
    },
    "checkpoint": {
        "metavar": "PATH",
        "help": (
            "the weights: a TensorFlow checkpoint, a file of HDF5, safetensors or PyTorch, an archive or a folder with "
            "one; which variant they are of they say themselves (default: a synthetic checkpoint, made on first use)"
        ),
    },
    "weights": {"metavar": "WHICH", "help": WHICH},
    "images": {
        "action": "append",
        "metavar": "PATH",
        "help": (
            "a JPEG or PNG file, or a folder of them; repeatable "
            "(default: each network takes one of two photographs that come with parity)"
        ),
    },
    "reference": {
        "action": "append",
        "metavar": "SOURCE",
        "help": (
            "official: the pinned source, fetched on first use (default); slim:PATH: the folder that holds nets/, "
            "as research/slim in a checkout of tensorflow/models; pnasnet-tf:PATH: a checkout of chenxi116/PNASNet.TF; "
            "repeatable; without TensorFlow: FILE.h5, a trace from --record, or golden, the digests that come with "
            "parity"
        ),
    },
    "training": {
        "action": "store_true",
        "help": (
            "judge training instead of evaluation: a forward in training mode, moving statistics, the loss, the "
            "gradients at every layer and variable, and whole steps of the optimiser (default sizes: large 331, mobile "
            "224)"
        ),
    },
    "candidate": {
        "metavar": "WHAT",
        "help": (
            "judge this in the place of the port: another implementation (timm, pytorchcv, pretrainedmodels, "
            "pnasnet-pytorch:PATH with a checkout of chenxi116/PNASNet.pytorch, or MODULE:CALLABLE), the port in "
            "another form or under an engine (channels_last, inference, compile, export, onnxruntime, "
            "openvino), or another reference (official, slim:PATH, pnasnet-tf:PATH)"
        ),
    },
    "adapter": {
        "metavar": "FILE.toml",
        "help": (
            "what the modules of --candidate MODULE:CALLABLE are called, where its names are not those of a known "
            "implementation (see parity/candidate/adapter.py)"
        ),
    },
    "candidate-weights": {
        "default": REFERENCE,
        "metavar": "WHICH",
        "help": (
            "reference: fill the candidate with the reference's weights, and judge the network alone (default); own: "
            "leave it the weights that its function gives; or a file of them, under the model's own names"
        ),
    },
    "record": {
        "metavar": "FILE.h5",
        "help": (
            "write what the official network computes into a trace (HDF5), for --reference and pnasnet-parity trace"
        ),
    },
    "record-compression": {
        "default": "none",
        "choices": COMPRESSIONS,
        "help": "of the trace: none (default), lzf or gzip, smaller and many times slower",
    },
    "force": {"action": "store_true", "help": "let --record and --report replace what other runs have written"},
    "seed": {
        "type": int,
        "default": 0,
        "metavar": "N",
        "help": "of the synthetic checkpoint and the integer network (default: 0)",
    },
    "threads": {
        "type": int,
        "default": default_threads(),
        "metavar": "N",
        "help": "threads that compute: one for each side, of which the evaluation has as many as it is given (default: "
        "all, here %(default)s)",
    },
    "report": {
        "metavar": "DIR",
        "help": "folder to write report.html and report.json into: what was judged, drawn and layer by layer",
    },
    "reproduce": {
        "metavar": "DIR",
        "help": (
            "folder to write the first culprits into: for each a script that shows the fault with PyTorch and NumPy"
        ),
    },
    "full-imagenet": {
        "action": "store_true",
        "help": "evaluate both models on the validation set; continues where an earlier run was stopped",
    },
}
# What changes what is compared, so that a command that repeats a run has to repeat it; with one value or several. The
# threads are not among them: they change no bit.
SINGLE = ("candidate", "adapter", "candidate-weights", "checkpoint", "weights", "seed")
REPEATABLE = ("variant", "image-size", "images", "reference")


def add_options(parser: pytest.Parser) -> frozenset[str]:
    """Add all options, and return the first names that other plugins have: there ours have the second alone."""
    everything = OPTIONS | EVALUATION
    taken = frozenset(name for name in everything if _is_taken(parser, f"--{name}"))
    parity = parser.getgroup(
        "parity", "parity of PNASNet-5 in PyTorch with the official TF-Slim network (pytest parity)"
    )
    imagenet = parser.getgroup("imagenet", "evaluation of both models on ImageNet (pytest --full-imagenet)")
    for name, keywords in everything.items():
        group = parity
        if name in EVALUATION or name == "full-imagenet":
            group = imagenet
        names = [f"--parity-{name}"]
        if name not in taken:
            names.insert(0, f"--{name}")
        group.addoption(*names, dest=_destination(name), **keywords)
    for name in SETTINGS:
        parser.addini(name, f"default of --{name} with --full-imagenet, relative to this file")
    return taken


def _is_taken(parser: pytest.Parser, option: str) -> bool:
    """Tell whether another plugin has an option of this name, which pytest's parser can only be asked by trying it."""
    try:
        # With a value, which most options take; what nobody knows comes back as it is.
        _, unknown = parser.parse_known_and_unknown_args([f"{option}=1"])
    except pytest.UsageError:  # there is one, which takes no value, or no such value
        return True
    return f"{option}=1" not in unknown


def _destination(name: str) -> str:
    """Return the name under which the value lies; other plugins have names of their own."""
    return f"parity_{name.replace('-', '_')}"


def given(config: pytest.Config, name: str) -> Any:
    """Return what the option of this name was given, or its default; `~` is the home folder."""
    # A shell leaves it as it is behind an equals sign.
    value = config.getoption(_destination(name))
    if isinstance(value, list):
        return [_at_home(entry) for entry in value]
    return _at_home(value)


def _at_home(value: Any) -> Any:
    """Return a text with the home folder in the place of a `~` at its beginning, and anything else as it is."""
    return os.path.expanduser(value) if isinstance(value, str) else value


def default(name: str) -> Any:
    """Return the value of an option that is not given."""
    keywords = (OPTIONS | EVALUATION)[name]
    if keywords.get("action") == "store_true":
        return False
    return keywords.get("default")


def options_with_values() -> set[str]:
    """Return all options that take a value, by both names."""
    options: set[str] = set()
    for name, keywords in (OPTIONS | EVALUATION).items():
        if keywords.get("action") != "store_true":
            options |= {f"--{name}", f"--parity-{name}"}
    return options
