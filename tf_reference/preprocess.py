"""Images as the official evaluation sees them: slim's own preprocessing on TensorFlow's default decoder."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tf_reference import official
from tf_reference.compat import tensorflow
from tf_reference.errors import InputError
from tf_reference.files import reading
from tf_reference.official import Source


def load_images(source: Source, paths: Sequence[Path], height: int, width: int) -> np.ndarray:
    """Return the files (JPEG or PNG) as pixels (N, height, width, 3), float32 from -1 to 1, by `preprocess_for_eval`.

    Raise InputError, naming the file, for one that is missing or no image.
    """
    tf = tensorflow()
    preprocess = preprocessing(source)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        content = tf.compat.v1.placeholder(tf.string, [])
        pixels = preprocess(tf.io.decode_jpeg(content, channels=3), height, width)
        images_hwc = []
        for path in paths:
            with _naming(path):
                images_hwc.append(session.run(pixels, {content: path.read_bytes()}))
        return np.stack(images_hwc)


def preprocessing(source: Source) -> Callable[..., Any]:
    """Return the source's own `preprocess_for_eval`; a checkout of networks alone is completed by the pinned source."""
    module = source.kind.preprocessing
    is_wheel = source.root.is_file()
    if not is_wheel and not (source.root / f"{module.replace('.', '/')}.py").is_file():
        source = official.find()
    preprocess: Callable[..., Any] = source.load(module).preprocess_for_eval
    return preprocess


def decode_image(path: Path) -> np.ndarray:
    """Return the file's pixels (H, W, 3), uint8, by TensorFlow's default decoder. Raise InputError as `load_images`."""
    # decode_jpeg reads PNGs, too.
    with _naming(path):
        pixels: np.ndarray = tensorflow().io.decode_jpeg(path.read_bytes(), channels=3).numpy()
    return pixels


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what reading and decoding raise into an InputError that names the file."""
    try:
        with reading(f"the image {path}"):
            yield
    except tensorflow().errors.InvalidArgumentError as error:
        # Without the names of TensorFlow's own operations, which stand before the reason and behind it.
        reason = re.sub(r"^\{\{.*?\}\} | \[Op:\w+\]$", "", error.message.splitlines()[0])
        raise InputError(f"{path} is not a sound JPEG or PNG image: {reason}") from error
