"""A conversion: read, change, write beside the target, read back, verify, put in place."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from parity.convert.change import changed
from parity.convert.placing import place
from parity.convert.request import HUB, Request, RequestError
from parity.convert.status import step
from parity.core.files import staging, writing
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.formats import write_file
from pnasnet_torch.hub import FILE, Card, class_offset, make_card, sha256
from pnasnet_torch.source import Weights, read_weights
from pnasnet_torch.weights import outline, store

SUITE = "python -m pip install 'pnasnet-parity[parity]' (in a checkout: python -m pip install -e '.[parity]')"


def convert(request: Request) -> None:
    """Write the target, whole or not at all, and print what was read and written.

    Raises RequestError for a target that cannot be written as asked, WeightsError or InputError for weights that are
    not sound, do not fit, or are not what they were once they are written, and NotVerifiedError where verifying fails.
    """
    request.check()
    # Before anything is read, as reading would be in vain.
    if request.verify:
        _require_tensorflow("--verify")
    if request.is_checkpoint:
        _require_tensorflow(f"a TensorFlow checkpoint, {request.target.name},")
    with step(f"reading {request.source}"):
        source = read_weights(request.source, request.source_names, request.weights)
    print(describe(source), *source.notes, sep="\n  ")
    weights = changed(source, request.target_names, request.classes, request.drop_aux_head)
    with staging(request.target.parent) as stage:
        _make_files(request, source, weights, stage)
    print(_result(request, source, weights))


def _make_files(request: Request, source: Weights, weights: Weights, stage: Path) -> None:
    """Write the target's files in the folder `stage`, check them there, and put them in place."""
    written = stage / request.target.name
    with step(f"writing {request.target}"), writing(request.target):
        write(request, weights, written)
    with step("reading it back"):
        # Under the names that fit, as whoever gets the file will read it.
        read_back = read_weights(written)
        check_bits(read_back.state, weights.state)
    if request.verify:
        # This brings TensorFlow in, too.
        from parity.convert.verify import verify

        verify(source, read_back)
    with writing(request.target):
        place(stage, _in_order(stage, written), request.replaced())


def write(request: Request, weights: Weights, path: Path) -> None:
    """Write the target's files, under `path` in the place of the target's name.

    Beside .safetensors that is a config.json, which says what the weights are and where they came from.
    """
    arrays = store(outline(weights.config), request.target_names, weights.state)
    if request.is_checkpoint:
        # It brings TensorFlow in, which other targets do not need.
        from tf_reference import checkpoint

        checkpoint.write(path, arrays, request.version or 2)
        return
    write_file(path, arrays)
    if path.suffix == HUB:
        # By its digest the file is known again: one that was changed later is refused.
        card = Card(path.name, sha256(path), weights.image_size, weights.label_names)
        source = weights.stored
        # Of a checkpoint V2 the index is hashed alone, which has checksums of all the rest.
        origin = {
            "name": source.path.name,
            "format": source.format,
            "names": weights.selection.names,
            "sha256": sha256(*source.files()),
        }
        content = make_card(card, weights.variant, weights.config, request.target_names, origin)
        path.with_name(FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def check_bits(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    """Raise WeightsError, listing all, unless every tensor `found` has the type, shape and bits that are `expected`."""
    different = []
    for name, array in expected.items():
        if name not in found or not _same_bits(found[name], array):
            different.append(name)
    different += [name for name in found if name not in expected]
    if different:
        listed = "\n  ".join(different)
        raise WeightsError(f"what was written is not what was read, and is not put in place. These differ:\n  {listed}")


def _same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    # Bytes, as -0.0 equals 0.0.
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def _in_order(stage: Path, written: Path) -> list[str]:
    """Return the names of all files that were written; the one last by which the others are found."""
    # Of a checkpoint V2 no file has the target's own name, and the index finds the others.
    last = written.name if written.exists() else f"{written.name}.index"
    return [*sorted(path.name for path in stage.iterdir() if path.name != last), last]


def describe(weights: Weights) -> str:
    """Return two lines that say what the weights are, and how they are stored."""
    config = weights.config
    head = "no auxiliary head"
    if config.aux_image_size:
        head = f"with an auxiliary head for {'x'.join(map(str, config.aux_image_size))} pixels"
    types = sorted({str(array.dtype) for array in weights.state.values()})
    stored = weights.stored
    tensors = f"{len(weights.state):,} tensors of {' and '.join(types)}"
    return (
        f"{stored.path}: PNASNet-5 {weights.variant}, {_classes(config.num_classes)}, {head}\n"
        f"  {stored.format}, names {weights.selection.names}, {tensors}"
    )


def _classes(count: int) -> str:
    text = f"{count:,} classes"
    return f"{text} (class 0 is the background)" if class_offset(count) else text


def _result(request: Request, source: Weights, weights: Weights) -> str:
    """Return two lines or more that say what was written, and what was left out."""
    count = weights.config.num_classes
    lines = [f"{request.target}: names {request.target_names}, {_classes(count)}"]
    if count != source.config.num_classes:
        lines.append("  the background's row was left out: class 0 is now the first of ImageNet's")
    if source.config.aux_image_size and not weights.config.aux_image_size:
        lines.append("  the auxiliary head was left out")
    read_back = "  read back: the same bits"
    if request.verify:
        read_back += "; verified against the official network"
    lines.append(read_back)
    return "\n".join(lines)


def _require_tensorflow(what: str) -> None:
    """Raise RequestError, saying what to install, where a package is missing that the official network runs on."""
    missing = [name for name in ("tensorflow", "tf_keras", "tf_slim") if importlib.util.find_spec(name) is None]
    if missing:
        raise RequestError(f"{what} needs {', '.join(missing)}: {SUITE}")
