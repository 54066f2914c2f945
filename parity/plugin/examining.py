"""What is given is examined before anything is judged, so that a run of hours finds out in its first seconds."""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parity.candidate.interface import OwnPort
from parity.core.files import check_room
from parity.plugin.cases import OPTIONS, cases, selection
from parity.plugin.others import refused
from parity.session.options import Options

if TYPE_CHECKING:
    from parity.session.session import Selection

# A report has some megabytes.
REPORT_BYTES = 50_000_000
# What is left of a trace's values by the best of its compressions is more than this.
LEAST_SHARE = 0.5


def examine(session: pytest.Session) -> None:
    """Raise pytest.UsageError where what the selected cases are judged on cannot be used; where none is, nothing is."""
    # Listing the items judges nothing.
    if session.config.option.collectonly or not cases(session.items):
        return
    options = session.config.stash[OPTIONS]
    if options.candidate:
        with refused("--candidate"):
            options.candidate.examine(options.networks)
    if options.images:
        with refused("--images"):
            _examine_images(options.images)
    if options.report:
        with refused("--report"):
            check_room(options.report, REPORT_BYTES)
    if options.record:
        with refused("--record"):
            check_room(options.record.parent, _least_of_trace(options, selection(session.items, options)))


def _examine_images(images: Iterable[Path]) -> None:
    """Raise InputError, naming the file, for an image that TensorFlow cannot decode."""
    from tf_reference.preprocess import decode_image

    for image in images:
        decode_image(image)


def _least_of_trace(options: Options, selected: "Selection") -> int:
    """Return how many bytes a trace takes at least: those of the float64 values that are selected, compressed."""
    values = 0
    for network in dict.fromkeys(network for _gate, network in selected):
        parts = OwnPort().parts(network).found
        for layer in selected.get(("float64", network), frozenset()):
            # As a part is described: its shape, and its dtype.
            shape = parts.get(("layer", layer), "()").partition(")")[0]
            sizes = [int(size) for size in re.findall("[0-9]+", shape)]
            values += math.prod(sizes) * len(options.images_of(network))
    return int(values * 8 * LEAST_SHARE)
