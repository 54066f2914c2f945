"""A small set in the shape of ImageNet, and checkpoints that know its classes.

ImageNet and the released weights cannot be had everywhere. Here the classes are places in photographs, and their images
are windows around them, differently cut, lit and stored; the last layer of a synthetic checkpoint is fitted to other
windows of the same places. Neighbouring places look alike, so accuracies lie between chance and 1, as on ImageNet.
"""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from parity.core.errors import InputError
from parity.core.layers import Network
from parity.core.specification import PHOTOGRAPHS
from parity.imagenet.devkit import KIT_NAMES
from parity.imagenet.labels import label_of
from parity.imagenet.pictures import encode, windows
from parity.imagenet.writers import Images, write_class_folders, write_devkit, write_flat, write_records, write_tar
from pnasnet_torch import variant
from pnasnet_torch.decode import decode
from pnasnet_torch.preprocess import preprocess
from tf_reference import checkpoint, official
from tf_reference.graph import GraphSpec, reference_graph
from tf_reference.run import OfficialRun
from tf_reference.synthetic import FEATURES, synthetic_checkpoint

log = logging.getLogger(__name__)

# Images of each class: in the set, and for fitting the last layer.
PER_CLASS = 18
FITTED_PER_CLASS = 8
# The fitted last layer: how strongly, how much it trusts its few examples, and how quiet the other classes are.
GAIN = 12.0
RIDGE = 0.1
OTHERS = 0.05
BATCH = 8


def make_sample(folder: Path, variants: Sequence[str]) -> None:
    """Write the set in all four layouts, and a fitted checkpoint for each variant: DIR/val and DIR/VARIANT.ckpt.

    Takes a minute for Mobile, some for Large. Raises InputError if the folder is there already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is there already: give a new folder")
    try:
        _write_sample(folder, variants)
    except BaseException:
        # What is only a part would be refused by the next run, and taken for the whole by others.
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _write_sample(folder: Path, variants: Sequence[str]) -> None:
    """Write the set and the checkpoints into a new folder."""
    images = sample_images()
    classes = {wnid for _name, wnid, _content in images}
    log.info("%s: %d images of %d classes in four layouts", folder, len(images), len(classes))
    write_class_folders(folder / "val", images)
    write_flat(folder / "flat", images)
    write_tar(folder / "tar" / "ILSVRC2012_img_val.tar", images)
    write_records(folder / "records", images, shards=4)
    write_devkit(folder / KIT_NAMES[1], images)
    for name in variants:
        size = variant(name).image_size
        write_fitted_checkpoint(folder / f"{name}.ckpt", Network(name, size, size))
        log.info("%s: the synthetic checkpoint with a fitted last layer", folder / f"{name}.ckpt")


def sample_images(per_class: int = PER_CLASS, seed: int = 0) -> Images:
    """Return images by name, class and content; all kinds of JPEG, in an order that has nothing to do with the classes.

    `per_class` of each of the 24 classes; another `seed` gives other windows of the same places.
    """
    pictures = list(windows(per_class, seed))
    order = np.random.default_rng(seed).permutation(len(pictures))
    images: list[tuple[str, str, bytes]] = []
    for number, place in enumerate(order, start=1):
        wnid, picture = pictures[place]
        images.append((f"ILSVRC2012_val_{number:08d}.JPEG", wnid, encode(picture, number)))
    return images


def write_fitted_checkpoint(prefix: Path, network: Network, seed: int = 0) -> None:
    """Write the synthetic checkpoint of the network's variant with a last layer that tells the set's classes apart.

    Fitted, at the network's size, on pictures that are not in the set (ridge regression on the pooled features).
    """
    source = official.find()
    photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))
    synthetic = synthetic_checkpoint(source, network.variant, variant(network.variant).image_size, seed, photographs)
    variables = checkpoint.read(synthetic)
    images = sample_images(FITTED_PER_CLASS, seed + 1)
    pixels = [preprocess(decode(content), network.height, network.width) for _name, _wnid, content in images]
    graph = reference_graph(source, GraphSpec(network.variant, network.height, network.width))
    features: list[np.ndarray] = []
    with OfficialRun(graph, [FEATURES]) as reference:
        reference.assign(variables)
        for start in range(0, len(pixels), BATCH):
            batch_nhwc = np.stack(pixels[start : start + BATCH])
            features.append(reference.run(batch_nhwc)[FEATURES])
    labels = np.array([label_of(wnid) for _name, wnid, _content in images])
    initial = variables["final_layer/FC/weights"]
    weights, biases = _fit(np.concatenate(features).astype(np.float64), labels, initial)
    variables |= {"final_layer/FC/weights": weights, "final_layer/FC/biases": biases}
    checkpoint.write(prefix, variables)


def _fit(features: np.ndarray, labels: np.ndarray, initial: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 weights (features, classes) and biases (classes,) by which the features tell the labels.

    `features` (examples, features) in float64, `labels` (examples,). Classes without examples keep a little of their
    `initial` weights.
    """
    mean = features.mean(axis=0)
    scale = features.std(axis=0) + 1e-6  # a feature may be the same in all examples
    centred = (features - mean) / scale
    classes = np.unique(labels)
    targets = (labels[:, None] == classes) - 1 / len(classes)
    # The dual form of ridge regression: one unknown for each example, of which there are far fewer than features. The
    # penalty is relative to the mean of the gram matrix's diagonal, so that RIDGE needs no unit.
    gram = centred @ centred.T
    penalty = RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    dual = np.linalg.solve(gram + penalty, targets)
    weights = OTHERS * initial.astype(np.float64)
    # The network's features are neither centred nor scaled: weights are divided by the scale, biases take the mean off.
    weights[:, classes] = GAIN * (centred.T @ dual) / scale[:, None]
    biases = -(mean @ weights)
    without_examples = np.setdiff1d(np.arange(weights.shape[1]), classes)
    biases[without_examples] -= GAIN / 2
    return weights.astype(np.float32), biases.astype(np.float32)
