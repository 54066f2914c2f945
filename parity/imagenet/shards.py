"""slim's TFRecord shards, as build_imagenet_data.py writes them."""

import importlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from parity.core.errors import InputError
from parity.imagenet.folders import children
from parity.imagenet.labels import LABELS, label_of
from parity.imagenet.listing import Entry, Listing, Place, few, ignored
from tf_reference.compat import tensorflow

SHARD = re.compile(r"validation-\d{5}-of-\d{5}")
# A record is the length of its data (8 bytes), a checksum of that (4), the data, and a checksum of the data (4).
HEADER, FOOTER = 12, 4
logger = logging.getLogger(__name__)


def is_shard(child: os.DirEntry[str]) -> bool:
    return bool(SHARD.fullmatch(child.name))


def list_shards(folder: Path) -> Listing:
    """The images in PATH/validation-00000-of-00128 and its like.

    Raises InputError for a shard that is missing, truncated or damaged, and for a record without an image and its
    class, or whose synset and label differ.
    """
    found = children(folder)
    shards = [child.name for child in found if is_shard(child)]
    _check_complete(folder, shards)
    entries = tuple(entry for shard in shards for entry in _entries(folder / shard))
    return Listing("TFRecord shards", folder, entries, ignored(child.name for child in found if not is_shard(child)))


def _check_complete(folder: Path, shards: list[str]) -> None:
    total = max(name.rpartition("-")[2] for name in shards)
    expected = {f"validation-{number:05d}-of-{total}" for number in range(int(total))}
    if missing := sorted(expected.difference(shards)):
        raise InputError(f"{folder} lacks {len(missing):,} of {len(expected):,} shards: {few(missing)}. Add them")
    if strange := sorted(set(shards) - expected):
        raise InputError(
            f"{folder} has shards that are none of its {len(expected):,}: {few(strange)}. Move them elsewhere"
        )


def _entries(shard: Path) -> Iterator[Entry]:
    logger.info("indexing %s", shard)
    return (_entry(shard, offset, record) for offset, record in _records(shard))


def _records(shard: Path) -> Iterator[tuple[int, bytes]]:
    """Every record's data, and its offset."""
    tf = tensorflow()
    start, size = 0, shard.stat().st_size
    damage = "{} is truncated or damaged: expected a sound record at byte {:,} of {:,}. Copy the file again"
    try:
        # The public reader verifies both checksums of each record, which Python could not do in reasonable time, so
        # that later reads need not; the random reader, which knows offsets, is not public and nothing says that
        # threads may share it. The offsets follow from the lengths.
        for record in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator():
            yield start + HEADER, record
            start += HEADER + len(record) + FOOTER
    except tf.errors.DataLossError as error:
        raise InputError(damage.format(shard, start, size)) from error
    except tf.errors.OpError as error:
        raise InputError(f"{shard} cannot be read: {error.message}") from error
    # TensorFlow takes a part of a header for the end.
    if start != size:
        raise InputError(damage.format(shard, start, size))


def _entry(shard: Path, offset: int, record: bytes) -> Entry:
    where = f"{shard}, the record at byte {offset - HEADER:,}"
    features = _features(where, record)
    encoded = _only(where, features, "image/encoded")
    name = PurePosixPath(_only(where, features, "image/filename").decode(errors="replace")).name
    wnid = _only(where, features, "image/class/synset").decode(errors="replace")
    if wnid not in LABELS:
        raise InputError(f"{where} ({name}): image/class/synset is {wnid!r}, which is no class of ILSVRC-2012")
    labels = list(features["image/class/label"].int64_list.value)
    if labels not in ([], [label_of(wnid)]):
        raise InputError(
            f"{where} ({name}): image/class/label is {few([str(label) for label in labels])}, but image/class/synset "
            f"is {wnid}, class {label_of(wnid)} of 1 to 1000. Convert the images again, with slim's own script"
        )
    return Entry(name, wnid, Place(shard, offset + record.index(encoded), len(encoded)))


def _features(where: str, record: bytes) -> Any:
    try:
        return tensorflow().train.Example.FromString(record).features.feature
    except importlib.import_module("google.protobuf.message").DecodeError as error:
        raise InputError(
            f"{where} is no tf.train.Example: expected one, as slim's build_imagenet_data.py writes it"
        ) from error


def _only(where: str, features: Any, key: str) -> bytes:
    values = list(features[key].bytes_list.value)
    if len(values) != 1 or not values[0]:
        raise InputError(
            f"{where}: found {len(values)} values of {key}, expected one that is not empty, as slim's "
            "build_imagenet_data.py writes it. Convert the images again"
        )
    return values[0]
