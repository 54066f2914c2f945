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
    """Write the images into a folder for each class."""
    for name, wnid, content in images:
        (folder / wnid).mkdir(parents=True, exist_ok=True)
        (folder / wnid / name).write_bytes(content)


def write_flat(folder: Path, images: Images) -> None:
    """Write the images into one folder, without their classes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, _wnid, content in images:
        (folder / name).write_bytes(content)


def write_tar(path: Path, images: Images, prefix: str = "") -> None:
    """Write a tar of the images, not compressed; `prefix` comes before each name."""
    _write_archive(path, "w", {prefix + name: content for name, _wnid, content in images})


def _write_archive(path: Path, mode: Any, files: dict[str, bytes]) -> None:
    """Write a tar of files, contents by name, in tarfile's `mode`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def write_devkit(path: Path, images: Images, seed: int = 0) -> None:
    """Write the development kit of the images, a .tar.gz; the ids of the classes are shuffled by `seed`.

    Raises ValueError unless the names are ILSVRC2012_val_00000001 and so on: the kit knows images by number alone.
    """
    from scipy.io import savemat

    ordered = sorted(images)
    for number, (name, _wnid, _content) in enumerate(ordered, start=1):
        if Path(name).stem != f"ILSVRC2012_val_{number:08d}":
            raise ValueError(f"image {number} is named {name}: expected ILSVRC2012_val_{number:08d}")
    # The real kit's ids are not in the order of the sorted wnids either.
    leaves = random.Random(seed).sample(WNIDS, len(WNIDS))
    ids = {wnid: number for number, wnid in enumerate(leaves, start=1)}
    meta = io.BytesIO()
    savemat(meta, {"synsets": _synsets(leaves)}, do_compression=True)
    ground_truth = "".join(f"{ids[wnid]}\n" for _name, wnid, _content in ordered)
    files = {f"{KIT}/data/{META}": meta.getvalue(), f"{KIT}/data/{GROUND_TRUTH}": ground_truth.encode()}
    _write_archive(path, "w:gz", files)


def _synsets(leaves: Sequence[str]) -> np.ndarray:
    """Return the struct array (nodes, 1) of meta.mat with FIELDS for each node.

    Leaves come first, then what is above them, whose ids go on from 1001.
    """
    nodes: list[tuple[Any, ...]] = []
    for number, wnid in enumerate(leaves, start=1):
        no_children: list[int] = []
        nodes.append((number, wnid, wnid, "", 0, no_children, 0, 1300))
    for depth, (wnid, words) in enumerate(INNER_NODES.items(), start=1):
        number = len(leaves) + depth
        height = len(INNER_NODES) - depth + 1
        # The lowest inner node is right above all leaves, each other one above the next inner node.
        children = [number + 1]
        if height == 1:
            children = list(range(1, len(leaves) + 1))
        nodes.append((number, wnid, words, "", len(children), children, height, 0))
    dtype = [(field, object) for field in FIELDS]
    return np.array(nodes, dtype)[:, None]


def write_records(folder: Path, images: Images, shards: int) -> None:
    """Write the images, in slim's manner shuffled over TFRecord shards.

    Raises PIL.UnidentifiedImageError for what is no image.
    """
    tf = tensorflow()
    folder.mkdir(parents=True, exist_ok=True)
    shuffled = random.Random(SLIM_SEED).sample(list(images), len(images))
    cuts = np.linspace(0, len(shuffled), shards + 1).astype(int)
    for number in range(shards):
        shard = folder / f"validation-{number:05d}-of-{shards:05d}"
        try:
            with tf.io.TFRecordWriter(str(shard)) as writer:
                for name, wnid, content in shuffled[cuts[number] : cuts[number + 1]]:
                    writer.write(_example(name, wnid, content).SerializeToString())
        except tf.errors.OpError as error:
            raise OSError(f"{shard} cannot be written: {error.message}") from error


def _example(name: str, wnid: str, content: bytes) -> Any:
    """Return a tf.train.Example with the features that slim's build_imagenet_data.py writes.

    They are those of an image without bounding boxes.
    """
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
    texts = {"colorspace": "RGB", "class/synset": wnid, "class/text": wnid, "format": "JPEG", "filename": name}
    numbers = {"height": height, "width": width, "channels": 3, "class/label": label_of(wnid)}
    train = tensorflow().train
    features: dict[str, Any] = {}
    for key, text in texts.items():
        features[key] = _bytes(text.encode())
    features["encoded"] = _bytes(content)
    for key, number in numbers.items():
        features[key] = train.Feature(int64_list=train.Int64List(value=[number]))
    for edge in ("xmin", "xmax", "ymin", "ymax"):
        features[f"object/bbox/{edge}"] = train.Feature(float_list=train.FloatList())
    features["object/bbox/label"] = train.Feature(int64_list=train.Int64List())
    named = {f"image/{key}": feature for key, feature in features.items()}
    return train.Example(features=train.Features(feature=named))


def _bytes(value: bytes) -> Any:
    """Return a feature that holds these bytes."""
    train = tensorflow().train
    return train.Feature(bytes_list=train.BytesList(value=[value]))
