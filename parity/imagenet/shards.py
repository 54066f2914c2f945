"""TFRecord shards, as slim's build_imagenet_data.py writes them, or TFDS."""

import importlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parity.core.errors import InputError
from parity.core.words import few
from parity.imagenet.archive import refuse_compressed
from parity.imagenet.folders import children
from parity.imagenet.labels import LABELS, label_of
from parity.imagenet.listing import Entry, Listing, Place, entry_at, ignored
from pnasnet_torch.classes import WNIDS
from tf_reference.compat import tensorflow

# slim's validation-00000-of-00128, and TFDS's imagenet2012-validation.tfrecord-00000-of-00064; compressed by somebody.
SHARD = re.compile(r"(validation|imagenet2012-validation\.tfrecord)-\d{5}-of-(\d{5})(\.gz)?")
# The classes in their order, as TFDS writes them beside its shards.
TFDS_LABELS = "label.labels.txt"
# A record is the length of its data (8 bytes), a checksum of that (4), the data, and a checksum of the data (4).
HEADER = 12
FOOTER = 4
logger = logging.getLogger(__name__)


def is_shard(child: os.DirEntry[str]) -> bool:
    """Tell whether this is called as a shard is, such as validation-00000-of-00128."""
    return bool(SHARD.fullmatch(child.name))


def list_shards(folder: Path) -> Listing:
    """List the images in PATH/validation-00000-of-00128 and its like.

    Raises InputError for a shard that is missing, compressed, truncated or damaged, and for a record without an image
    and its class, or whose synset and label differ.
    """
    shards: list[str] = []
    left_aside: list[str] = []
    for child in children(folder):
        if is_shard(child):
            shards.append(child.name)
        else:
            left_aside.append(child.name)
    for shard in shards:
        refuse_compressed(folder / shard)
    _check_complete(folder, shards)
    _check_order(folder / TFDS_LABELS)
    entries: list[Entry] = []
    empty: list[str] = []
    for shard in shards:
        shard_entries = list(_entries(folder / shard))
        entries += shard_entries
        if not shard_entries:
            empty.append(shard)
    notes = ignored(left_aside)
    if empty:
        notes += (f"shards without any image: {few(empty)}",)
    return Listing("TFRecord shards", folder, tuple(entries), notes)


def _check_order(labels: Path) -> None:
    """Raise InputError where TFDS has written classes beside its shards that are not ILSVRC-2012's in their order."""
    if labels.is_file() and labels.read_text(errors="replace").split() != list(WNIDS):
        raise InputError(f"{labels} has other classes than ILSVRC-2012: expected the 1,000 WordNet ids, sorted")


def _check_complete(folder: Path, shards: list[str]) -> None:
    """Raise InputError unless these are all shards of one set, and no others."""
    matches = [SHARD.fullmatch(name) for name in shards]
    # The number of shards is the last part of each name; of two sets in one folder the larger is taken to be meant.
    total, prefix = max((match[2], match[1]) for match in matches if match)
    expected = {f"{prefix}-{number:05d}-of-{total}" for number in range(int(total))}
    missing = sorted(expected.difference(shards))
    if missing:
        raise InputError(f"{folder} lacks {len(missing):,} of {len(expected):,} shards: {few(missing)}. Add them")
    strange = sorted(set(shards) - expected)
    if strange:
        raise InputError(
            f"{folder} has shards that are none of its {len(expected):,}: {few(strange)}. Move them elsewhere"
        )


def _entries(shard: Path) -> Iterator[Entry]:
    """Yield the image of each record of a shard."""
    logger.info("indexing %s", shard)
    for offset, record in _records(shard):
        yield _entry(shard, offset, record)


def _records(shard: Path) -> Iterator[tuple[int, bytes]]:
    """Yield each record's data, and its offset in the file. Raises InputError for a shard that is not sound."""
    tf = tensorflow()
    size = shard.stat().st_size
    start = 0
    try:
        # The public reader verifies both checksums of each record, which Python could not do in reasonable time, so
        # that later reads need not; the random reader, which knows offsets, is not public and nothing says that
        # threads may share it. The offsets follow from the lengths.
        for record in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator():
            yield start + HEADER, record
            start += HEADER + len(record) + FOOTER
    except tf.errors.DataLossError as error:
        raise _damage(shard, start, size) from error
    except tf.errors.OpError as error:
        raise InputError(f"{shard} cannot be read: {error.message}") from error
    # TensorFlow takes a part of a header for the end.
    if start != size:
        raise _damage(shard, start, size)


def _damage(shard: Path, start: int, size: int) -> InputError:
    """Return the error that says at which byte a shard is damaged."""
    return InputError(
        f"{shard} is truncated or damaged: expected a sound record at byte {start:,} of {size:,}. Copy the file again"
    )


def _entry(shard: Path, offset: int, record: bytes) -> Entry:
    """Return the image of a record, with its place in the shard. Raises InputError for a record that is not slim's."""
    where = f"{shard}, the record at byte {offset - HEADER:,}"
    features = _features(where, record)
    is_tfds = "file_name" in features
    encoded = _only(where, features, "image" if is_tfds else "image/encoded")
    name = _only(where, features, "file_name" if is_tfds else "image/filename").decode(errors="replace")
    wnid = _tfds_class(where, features) if is_tfds else _slim_class(where, name, features)
    return entry_at(name, Place(shard, offset + record.index(encoded), len(encoded)), {where: wnid})


def _tfds_class(where: str, features: Any) -> str:
    """Return the class of a record by TFDS, which counts from 0. Raises InputError for a label that is none."""
    labels = list(features["label"].int64_list.value)
    if len(labels) != 1 or not 0 <= labels[0] < len(WNIDS):
        raise InputError(f"{where}: found the label {few([str(label) for label in labels])}, expected one of 0 to 999")
    return WNIDS[labels[0]]


def _slim_class(where: str, name: str, features: Any) -> str:
    """Return the class of a record by slim. Raises InputError where there is none, or where two things differ."""
    wnid = _only(where, features, "image/class/synset").decode(errors="replace")
    if wnid not in LABELS:
        raise InputError(f"{where} ({name}): image/class/synset is {wnid!r}, which is no class of ILSVRC-2012")
    labels = list(features["image/class/label"].int64_list.value)
    # The label may be absent, as the synset tells the class; where there is one, it must not contradict.
    expected = label_of(wnid)
    if labels not in ([], [expected]):
        listed = few([str(label) for label in labels])
        raise InputError(
            f"{where} ({name}): image/class/label is {listed}, but image/class/synset is {wnid}, class {expected} of "
            "1 to 1000. Convert the images again, with slim's own script"
        )
    return wnid


def _features(where: str, record: bytes) -> Any:
    """Return a record's features by name. Raises InputError if it is no tf.train.Example."""
    try:
        return tensorflow().train.Example.FromString(record).features.feature
    except importlib.import_module("google.protobuf.message").DecodeError as error:
        raise InputError(
            f"{where} is no tf.train.Example: expected one, as slim's build_imagenet_data.py writes it"
        ) from error


def _only(where: str, features: Any, key: str) -> bytes:
    """Return the one value of a feature. Raises InputError if there is none, an empty one, or several."""
    values = list(features[key].bytes_list.value)
    if len(values) != 1 or not values[0]:
        raise InputError(
            f"{where}: found {len(values)} values of {key}, expected one that is not empty, as slim's "
            "build_imagenet_data.py writes it. Convert the images again"
        )
    return values[0]
