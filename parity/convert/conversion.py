"""A conversion: read, change, write beside the target, read back, verify, put in place."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from parity.convert.change import changed
from parity.convert.placing import place, staging
from parity.convert.request import HUB, Request, RequestError
from parity.convert.status import step
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.formats import write_file
from pnasnet_torch.hub import FILE, Card, class_offset, make_card, sha256
from pnasnet_torch.source import Weights, files, read_weights
from pnasnet_torch.weights import outline, store

SUITE = "python -m pip install 'pnasnet-parity[parity]' (in a checkout: python -m pip install -e '.[parity]')"


def convert(request: Request) -> None:
    """Writes the target, whole or not at all, and says what was read and written.

    Raises RequestError for a target that cannot be written as asked, WeightsError or InputError for weights that are
    not sound, do not fit, or are not what they were once they are written.
    """
    request.check()
    if request.is_checkpoint or request.verify:
        _require_tensorflow("--verify" if request.verify else f"a TensorFlow checkpoint, {request.target.name},")
    with step(f"reading {request.source}"):
        source = read_weights(request.source, request.source_names)
    print(describe(source))
    weights = changed(source, request.target_names, request.classes, request.drop_aux_head)
    with staging(request.target.parent) as stage:
        written = stage / request.target.name
        with step(f"writing {request.target}"):
            write(request, weights, written)
        with step("reading it back"):
            back = read_weights(written)
            check_bits(back.state, weights.state)
        if request.verify:
            from parity.convert.verify import verify

            verify(source, back)
        place(stage, _files(stage, written), request.replaced())
    print(_result(request, source, weights))


def write(request: Request, weights: Weights, path: Path) -> None:
    """Writes the target's files, under `path` in the place of its name."""
    arrays = store(outline(weights.config), request.target_names, weights.state)
    if request.is_checkpoint:
        from tf_reference import checkpoint

        checkpoint.write(path, arrays, request.version or 2)
        return
    write_file(path, arrays)
    if path.suffix == HUB:
        card = Card(path.name, sha256(path), weights.image_size, weights.label_names)
        source = weights.stored
        origin = {
            "name": source.path.name,
            "format": source.format,
            "names": weights.names,
            "sha256": sha256(*files(source.path)),
        }
        content = make_card(card, weights.variant, weights.config, request.target_names, origin)
        path.with_name(FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def check_bits(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    """Raises WeightsError, listing all, unless every tensor has the same type, shape and bits."""
    names = [*expected, *(name for name in found if name not in expected)]
    different = [
        name for name in names if name not in found or name not in expected or not _same(found[name], expected[name])
    ]
    if different:
        listed = "\n  ".join(different)
        raise WeightsError(f"what was written is not what was read, and is not put in place. These differ:\n  {listed}")


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def _files(stage: Path, written: Path) -> list[str]:
    """The names of all that was written; the one last by which the others are found."""
    last = written.name if written.exists() else f"{written.name}.index"
    return sorted((path.name for path in stage.iterdir()), key=lambda name: (name == last, name))


def describe(weights: Weights) -> str:
    """What was found, in two lines."""
    config, types = weights.config, sorted({str(array.dtype) for array in weights.state.values()})
    head = (
        f"with an auxiliary head for {'x'.join(map(str, config.aux_image_size))} pixels"
        if config.aux_image_size
        else "no auxiliary head"
    )
    return (
        f"{weights.stored.path}: PNASNet-5 {weights.variant}, {_classes(config.num_classes)}, {head}\n"
        f"  {weights.stored.format}, names {weights.names}, {len(weights.state):,} tensors of {' and '.join(types)}"
    )


def _classes(count: int) -> str:
    return f"{count:,} classes" + (" (class 0 is the background)" if class_offset(count) else "")


def _result(request: Request, source: Weights, weights: Weights) -> str:
    """What was written, in two lines."""
    count, before = weights.config.num_classes, source.config.num_classes
    lines = [f"{request.target}: names {request.target_names}, {_classes(count)}"]
    if count != before:
        lines.append("  the background's row was left out: class 0 is now the first of ImageNet's")
    if source.config.aux_image_size and not weights.config.aux_image_size:
        lines.append("  the auxiliary head was left out")
    lines.append("  read back: the same bits" + ("; verified against the official network" if request.verify else ""))
    return "\n".join(lines)


def _require_tensorflow(what: str) -> None:
    if missing := [name for name in ("tensorflow", "tf_keras", "tf_slim") if importlib.util.find_spec(name) is None]:
        raise RequestError(f"{what} needs {', '.join(missing)}: {SUITE}")
