"""Small sets in the shape of ImageNet, in all four layouts: for tests and demonstrations."""

import io
import random
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from parity.imagenet.devkit import GROUND_TRUTH, KIT, META
from parity.imagenet.labels import label_of
from pnasnet_torch.classes import WNIDS
from tf_reference.compat import tensorflow

# Name, WordNet id of the class, and the file's content.
Images = Sequence[tuple[str, str, bytes]]
# The top of WordNet's nouns, each the only child of the one before.
INNER_NODES = {"n00001740": "entity", "n00001930": "physical entity", "n00002684": "object, physical object"}
FIELDS = ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children", "wordnet_height", "num_train_images")
SLIM_SEED = 12345


def write_class_folders(folder: Path, images: Images) -> None:
    for name, wnid, content in images:
        (folder / wnid).mkdir(parents=True, exist_ok=True)
        (folder / wnid / name).write_bytes(content)


def write_flat(folder: Path, images: Images) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, _, content in images:
        (folder / name).write_bytes(content)


def write_tar(path: Path, images: Images, prefix: str = "") -> None:
    """A tar of the images, not compressed; `prefix` comes before each name."""
    _write_archive(path, "w", {prefix + name: content for name, _, content in images})


def _write_archive(path: Path, mode: Any, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def write_devkit(path: Path, images: Images, seed: int = 0) -> None:
    """The development kit of the images, a .tar.gz; the ids of the classes are shuffled by `seed`.

    Raises ValueError unless the names are ILSVRC2012_val_00000001 and so on: the kit knows images by number alone.
    """
    from scipy.io import savemat

    ordered = sorted(images)
    for number, (name, _, _) in enumerate(ordered, start=1):
        if Path(name).stem != f"ILSVRC2012_val_{number:08d}":
            raise ValueError(f"image {number} is named {name}: expected ILSVRC2012_val_{number:08d}")
    leaves = random.Random(seed).sample(WNIDS, len(WNIDS))
    ids = {wnid: number for number, wnid in enumerate(leaves, start=1)}
    meta = io.BytesIO()
    savemat(meta, {"synsets": _synsets(leaves)}, do_compression=True)
    truth = "".join(f"{ids[wnid]}\n" for _, wnid, _ in ordered).encode()
    _write_archive(path, "w:gz", {f"{KIT}/data/{META}": meta.getvalue(), f"{KIT}/data/{GROUND_TRUTH}": truth})


def _synsets(leaves: Sequence[str]) -> np.ndarray:
    """The struct array of meta.mat, a row a node: leaves first, then what is above them, whose ids go on from 1001."""
    rows: list[tuple[Any, ...]] = [
        (number, wnid, wnid, "", 0, [], 0, 1300) for number, wnid in enumerate(leaves, start=1)
    ]
    for depth, (wnid, words) in enumerate(INNER_NODES.items(), start=1):
        number = len(leaves) + depth
        below = list(range(1, len(leaves) + 1)) if depth == len(INNER_NODES) else [number + 1]
        rows.append((number, wnid, words, "", len(below), below, len(INNER_NODES) - depth + 1, 0))
    return np.array(rows, [(field, object) for field in FIELDS])[:, None]


def write_records(folder: Path, images: Images, shards: int) -> None:
    """The images, in slim's manner shuffled over TFRecord shards. Raises PIL.UnidentifiedImageError for no image."""
    tf = tensorflow()
    folder.mkdir(parents=True, exist_ok=True)
    shuffled = random.Random(SLIM_SEED).sample(list(images), len(images))
    cuts = np.linspace(0, len(shuffled), shards + 1).astype(int)
    for number in range(shards):
        with tf.io.TFRecordWriter(str(folder / f"validation-{number:05d}-of-{shards:05d}")) as writer:
            for image in shuffled[cuts[number] : cuts[number + 1]]:
                writer.write(_example(*image).SerializeToString())


def _example(name: str, wnid: str, content: bytes) -> Any:
    """The features that slim's build_imagenet_data.py writes, for an image without bounding boxes."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
    texts = {"colorspace": "RGB", "class/synset": wnid, "class/text": wnid, "format": "JPEG", "filename": name}
    numbers = {"height": height, "width": width, "channels": 3, "class/label": label_of(wnid)}
    train = tensorflow().train
    features = {key: _bytes(text.encode()) for key, text in texts.items()} | {"encoded": _bytes(content)}
    features |= {key: train.Feature(int64_list=train.Int64List(value=[number])) for key, number in numbers.items()}
    for edge in ("xmin", "xmax", "ymin", "ymax"):
        features[f"object/bbox/{edge}"] = train.Feature(float_list=train.FloatList())
    features["object/bbox/label"] = train.Feature(int64_list=train.Int64List())
    named = {f"image/{key}": feature for key, feature in features.items()}
    return train.Example(features=train.Features(feature=named))


def _bytes(value: bytes) -> Any:
    train = tensorflow().train
    return train.Feature(bytes_list=train.BytesList(value=[value]))
