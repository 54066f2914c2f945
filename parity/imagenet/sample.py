"""A small set in the shape of ImageNet, and checkpoints that know its classes.

ImageNet and the released weights cannot be had everywhere. Here the classes are places in photographs, and their images
are windows around them, differently cut, lit and stored; the last layer of a synthetic checkpoint is fitted to other
windows of the same places. Neighbouring places look alike, so accuracies lie between chance and 1, as on ImageNet.
"""

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from parity.core.errors import InputError
from parity.core.layers import Network
from parity.core.specification import PHOTOGRAPHS
from parity.imagenet.devkit import KIT_NAMES
from parity.imagenet.labels import label_of
from parity.imagenet.writers import Images, write_class_folders, write_devkit, write_flat, write_records, write_tar
from pnasnet_torch import variant
from pnasnet_torch.classes import WNIDS
from pnasnet_torch.decode import decode
from pnasnet_torch.preprocess import preprocess
from tf_reference import checkpoint, official
from tf_reference.graph import GraphSpec, reference_graph
from tf_reference.run import OfficialRun
from tf_reference.synthetic import FEATURES, synthetic_checkpoint

log = logging.getLogger(__name__)

ROWS, COLUMNS = 2, 3  # places of a photograph
PER_CLASS, FITTED_PER_CLASS = 18, 8
SIZES = ((500, 375), (375, 500), (500, 333), (400, 400))
# The fitted last layer: how strongly, how much it trusts its few examples, and how quiet the other classes are.
GAIN, RIDGE, OTHERS = 12.0, 0.1, 0.05
BATCH = 8
Kind = Callable[[Image.Image, int], bytes]


def make_sample(folder: Path, variants: Sequence[str]) -> None:
    """Writes the set in all four layouts, and a fitted checkpoint for each variant: DIR/val and DIR/VARIANT.ckpt.

    Takes a minute for Mobile, some for Large. Raises InputError if the folder is there already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is there already: give a new folder, or delete it")
    images = sample_images()
    log.info("%s: %d images of %d classes in four layouts", folder, len(images), len({wnid for _, wnid, _ in images}))
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
    """Images by name, class and content; all kinds of JPEG, in an order that has nothing to do with the classes."""
    drawn = [(wnid, picture) for wnid, picture in _pictures(per_class, seed)]
    order = np.random.default_rng(seed).permutation(len(drawn))
    return [
        (f"ILSVRC2012_val_{number:08d}.JPEG", drawn[place][0], KINDS[number % len(KINDS)](drawn[place][1], number))
        for number, place in enumerate(order, start=1)
    ]


def _pictures(per_class: int, seed: int) -> Iterator[tuple[str, Image.Image]]:
    photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))
    places = [(path, row, column) for path in photographs for row in range(ROWS) for column in range(COLUMNS)]
    # Spread over the classes of ImageNet.
    wnids = WNIDS[3 :: len(WNIDS) // len(places)]
    for number, (path, row, column) in enumerate(places):
        with Image.open(path) as opened:
            photograph = opened.convert("RGB")
        rng = np.random.default_rng((seed, number))
        for _ in range(per_class):
            yield wnids[number], _window(photograph, (column + 0.5) / COLUMNS, (row + 0.5) / ROWS, rng)


def _window(photograph: Image.Image, x: float, y: float, rng: np.random.Generator) -> Image.Image:
    """A window around the place (x, y), in shares of the photograph."""
    width, height = (side * rng.uniform(0.35, 0.6) for side in photograph.size)
    left = (photograph.width * (x + rng.normal(0, 0.09))) - width / 2
    top = (photograph.height * (y + rng.normal(0, 0.09))) - height / 2
    left = min(max(left, 0), photograph.width - width)
    top = min(max(top, 0), photograph.height - height)
    size = SIZES[rng.integers(len(SIZES))]
    window = photograph.resize(size, Image.Resampling.BICUBIC, (left, top, left + width, top + height))
    window = ImageEnhance.Brightness(window).enhance(rng.uniform(0.6, 1.4))
    return ImageEnhance.Contrast(window).enhance(rng.uniform(0.6, 1.4))


def _jpeg(picture: Image.Image, number: int, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=75 + number % 21, **options)
    return buffer.getvalue()


def _sampled(sampling: str, space: str = "RGB") -> Kind:
    def encode(picture: Image.Image, number: int) -> bytes:
        import simplejpeg

        pixels = np.ascontiguousarray(np.asarray(picture.convert(space)))
        return bytes(simplejpeg.encode_jpeg(pixels, 75 + number % 21, space, sampling))

    return encode


def _png(picture: Image.Image, _number: int) -> bytes:
    buffer = io.BytesIO()
    picture.resize((160, 120)).save(buffer, "PNG")
    return buffer.getvalue()


def _turned(picture: Image.Image, number: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, which the official evaluation does not do
    return _jpeg(picture, number, exif=exif)


# As on ImageNet, 4:2:0 is most common.
KINDS: tuple[Kind, ...] = (
    *(_sampled(sampling) for sampling in ("444", "422", "420", "440", "411", "Gray")),
    *(_jpeg,) * 4,
    lambda picture, number: _jpeg(picture, number, progressive=True),
    lambda picture, number: _jpeg(picture.convert("L"), number, progressive=True),
    lambda picture, number: _jpeg(picture, number, restart_marker_blocks=7),
    lambda picture, number: _jpeg(picture, number, optimize=True, subsampling=0),
    lambda picture, number: _jpeg(picture.convert("CMYK"), number),
    _sampled("420", "CMYK"),  # stored as Adobe's YCCK
    _turned,
    _png,
)


def write_fitted_checkpoint(prefix: Path, network: Network, seed: int = 0) -> None:
    """The synthetic checkpoint of the network's variant with a last layer that tells the set's classes apart.

    Fitted, at the network's size, on pictures that are not in the set (ridge regression on the pooled features).
    """
    source = official.find()
    made = synthetic_checkpoint(
        source, network.variant, variant(network.variant).image_size, seed, sorted(PHOTOGRAPHS.glob("*.jpg"))
    )
    variables = checkpoint.read(made)
    images = sample_images(FITTED_PER_CLASS, seed + 1)
    pixels = [preprocess(decode(content), network.height, network.width) for _, _, content in images]
    graph = reference_graph(source, GraphSpec(network.variant, network.height, network.width))
    with OfficialRun(graph, [FEATURES]) as reference:
        reference.assign(variables)
        cut = [np.stack(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
        features = np.concatenate([reference.run(batch)[FEATURES] for batch in cut]).astype(np.float64)
    labels = np.array([label_of(wnid) for _, wnid, _ in images])
    weights, biases = _fit(features, labels, variables["final_layer/FC/weights"])
    variables |= {"final_layer/FC/weights": weights, "final_layer/FC/biases": biases}
    checkpoint.write(prefix, variables)


def _fit(features: np.ndarray, labels: np.ndarray, initial: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (features, classes) and biases; classes without examples keep a little of their `initial` weights."""
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    centred = (features - mean) / scale
    classes = np.unique(labels)
    targets = (labels[:, None] == classes) - 1 / len(classes)
    gram = centred @ centred.T
    dual = np.linalg.solve(gram + RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)), targets)
    weights = OTHERS * initial.astype(np.float64)
    weights[:, classes] = GAIN * (centred.T @ dual) / scale[:, None]
    biases = -(mean @ weights)
    biases[np.setdiff1d(np.arange(weights.shape[1]), classes)] -= GAIN / 2
    return weights.astype(np.float32), biases.astype(np.float32)
