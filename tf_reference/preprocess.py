"""Images as the official evaluation sees them: slim's own preprocessing on TensorFlow's default decoder."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tf_reference import official
from tf_reference.compat import tensorflow
from tf_reference.errors import InputError
from tf_reference.official import Source


def load_images(source: Source, paths: Sequence[Path], height: int, width: int) -> np.ndarray:
    """The files (JPEG or PNG) as pixels (N, height, width, 3), float32 from -1 to 1, by `preprocess_for_eval`.

    Raises InputError, naming the file, for one that is missing or no image.
    """
    tf = tensorflow()
    preprocess = preprocessing(source)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        content = tf.compat.v1.placeholder(tf.string, [])
        pixels = preprocess(tf.io.decode_jpeg(content, channels=3), height, width)

        def run(path: Path) -> np.ndarray:
            with _naming(path):
                result: np.ndarray = session.run(pixels, {content: path.read_bytes()})
            return result

        return np.stack([run(path) for path in paths])


def preprocessing(source: Source) -> Callable[..., Any]:
    """The source's own `preprocess_for_eval`. A checkout of networks alone is completed by the pinned one."""
    module = source.kind.preprocessing
    has_own = source.root.is_file() or (source.root / f"{module.replace('.', '/')}.py").is_file()
    found: Callable[..., Any] = (source if has_own else official.find()).load(module).preprocess_for_eval
    return found


def decode_image(path: Path) -> np.ndarray:
    """The file's pixels (H, W, 3), uint8, by TensorFlow's default decoder. Raises as `load_images`."""
    with _naming(path):
        pixels: np.ndarray = tensorflow().io.decode_jpeg(path.read_bytes(), channels=3).numpy()
    return pixels


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"the image {path} cannot be read: {error.strerror}") from error
    except tensorflow().errors.InvalidArgumentError as error:
        raise InputError(f"{path} is not a sound JPEG or PNG image: {error.message.splitlines()[0]}") from error
