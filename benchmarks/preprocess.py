"""Decoding and preprocessing per core: the port against TensorFlow, in turns, over photographs of ImageNet's sizes.

python benchmarks/preprocess.py
"""

import io
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from parity.options import PHOTOGRAPHS
from pnasnet_torch.preprocess import decode, preprocess
from tf_reference import official
from tf_reference.compat import tensorflow
from tf_reference.preprocess import MODULE

SIZES = ((500, 375), (500, 375), (375, 500), (500, 333), (640, 480), (400, 400))
FILES, ROUNDS = 60, 9


def files() -> list[bytes]:
    """JPEGs of about 90 KB, ImageNet's average: windows of the photographs with a camera's noise, mostly 4:2:0."""
    rng, made = np.random.default_rng(0), []
    photographs = [Image.open(path).convert("RGB") for path in sorted(PHOTOGRAPHS.glob("*.jpg"))]
    for number in range(FILES):
        photograph = photographs[number % len(photographs)]
        width, height = SIZES[number % len(SIZES)]
        window = np.asarray(photograph.resize((width, height))).astype(float) + rng.normal(0, 5, (height, width, 1))
        buffer = io.BytesIO()
        image = Image.fromarray(window.clip(0, 255).astype(np.uint8))
        image.save(buffer, "JPEG", quality=90 + number % 7, subsampling=0 if number % 4 == 0 else 2)
        made.append(buffer.getvalue())
    return made


def milliseconds(work: Callable[[bytes], Any], contents: Sequence[bytes]) -> float:
    """CPU time for one image."""
    start = time.process_time()
    for content in contents:
        work(content)
    return 1e3 * (time.process_time() - start) / len(contents)


def measure(side: int, contents: Sequence[bytes]) -> None:
    tf = tensorflow()
    v1 = tf.compat.v1
    evaluate = official.find().load(MODULE).preprocess_for_eval
    with tf.Graph().as_default() as graph:
        content = v1.placeholder(tf.string, [])
        pixels = evaluate(tf.io.decode_jpeg(content, channels=3), side, side)
    one = {"intra_op_parallelism_threads": 1, "inter_op_parallelism_threads": 1, "use_per_session_threads": True}
    with v1.Session(graph=graph, config=v1.ConfigProto(**one)) as session:
        sides: dict[str, Callable[[bytes], Any]] = {
            "port": lambda data: preprocess(decode(data), side, side),
            "TensorFlow": lambda data: session.run(pixels, {content: data}),
        }
        same = all(sides["port"](data).tobytes() == sides["TensorFlow"](data).tobytes() for data in contents)
        found = {name: [] for name in sides}
        for _ in range(ROUNDS):
            for name, work in sides.items():
                found[name].append(milliseconds(work, contents))
    port, theirs = (median(found[name]) for name in sides)
    print(f"{side}: port {port:.2f} ms, TensorFlow {theirs:.2f} ms, {port / theirs:.2f} times; same bits: {same}")


def main() -> None:
    contents = files()
    print(
        f"{len(contents)} files, {sum(map(len, contents)) / len(contents) / 1e3:.0f} KB on average; CPU time an image"
    )
    for side in (331, 224):
        measure(side, contents)


if __name__ == "__main__":
    main()
