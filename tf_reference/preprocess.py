"""Images as the official evaluation sees them: slim's own preprocessing on TensorFlow's default decoder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tf_reference import official
from tf_reference.compat import tensorflow
from tf_reference.errors import InputError
from tf_reference.official import Source

MODULE = "preprocessing.inception_preprocessing"


def load_images(source: Source, paths: Sequence[Path], height: int, width: int) -> np.ndarray:
    """The files (JPEG or PNG) as pixels (N, height, width, 3), float32 from -1 to 1, by `preprocess_for_eval`.

    A checkout that holds only the networks is completed by the pinned source. Raises InputError, naming the file,
    for one that is missing or no image.
    """
    tf = tensorflow()
    has_own = source.root.is_file() or (source.root / f"{MODULE.replace('.', '/')}.py").is_file()
    preprocessing = (source if has_own else official.find()).load(MODULE)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        content = tf.compat.v1.placeholder(tf.string, [])
        pixels = preprocessing.preprocess_for_eval(tf.io.decode_jpeg(content, channels=3), height, width)
        return np.stack([_run(session, pixels, content, path) for path in paths])


def _run(session: object, pixels: object, content: object, path: Path) -> np.ndarray:
    try:
        result: np.ndarray = session.run(pixels, {content: path.read_bytes()})  # type: ignore[attr-defined]
    except OSError as error:
        raise InputError(f"the image {path} cannot be read: {error.strerror}") from error
    except tensorflow().errors.InvalidArgumentError as error:
        raise InputError(f"{path} is not a sound JPEG or PNG image: {error.message.splitlines()[0]}") from error
    return result
