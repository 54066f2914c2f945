"""Decoding and preprocessing per core: the port against TensorFlow, in turns, over photographs of ImageNet's sizes.

The whole, and its two parts each by itself. CPU time of the process, TensorFlow's session on one thread.
Usage: python benchmarks/preprocess.py [--rounds N]
"""

import argparse
import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

import numpy as np
from PIL import Image

from parity.core.specification import PHOTOGRAPHS
from pnasnet_torch.decode import decode
from pnasnet_torch.preprocess import preprocess
from tf_reference import official
from tf_reference.compat import tensorflow
from tf_reference.preprocess import preprocessing

SIZES = ((500, 375), (500, 375), (375, 500), (500, 333), (640, 480), (400, 400))
FILES = 60


class Sample(NamedTuple):
    """A file, and what is in it."""

    content: bytes
    image: np.ndarray


Work = Callable[[Sample], np.ndarray]


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


@contextmanager
def by_tensorflow(side: int) -> Iterator[dict[str, Work]]:
    """What TensorFlow does for each part."""
    tf = tensorflow()
    v1 = tf.compat.v1
    evaluate = preprocessing(official.find())
    with tf.Graph().as_default() as graph:
        content = v1.placeholder(tf.string, [])
        decoded = tf.io.decode_jpeg(content, channels=3)
        whole = evaluate(decoded, side, side)
        image = v1.placeholder(tf.uint8, [None, None, 3])
        resized = evaluate(image, side, side)
    one = {"intra_op_parallelism_threads": 1, "inter_op_parallelism_threads": 1, "use_per_session_threads": True}
    with v1.Session(graph=graph, config=v1.ConfigProto(**one)) as session:
        yield {
            "whole": lambda sample: session.run(whole, {content: sample.content}),
            "decode": lambda sample: session.run(decoded, {content: sample.content}),
            "resize": lambda sample: session.run(resized, {image: sample.image}),
        }


def by_port(side: int) -> dict[str, Work]:
    return {
        "whole": lambda sample: preprocess(decode(sample.content), side, side),
        "decode": lambda sample: decode(sample.content),
        "resize": lambda sample: preprocess(sample.image, side, side),
    }


def milliseconds(work: Work, samples: Sequence[Sample]) -> float:
    """CPU time for one image."""
    start = time.process_time()
    for sample in samples:
        work(sample)
    return 1e3 * (time.process_time() - start) / len(samples)


def compare(name: str, port: Work, theirs: Work, samples: Sequence[Sample], rounds: int) -> None:
    same = all(port(sample).tobytes() == theirs(sample).tobytes() for sample in samples)
    turns = [(milliseconds(port, samples), milliseconds(theirs, samples)) for _ in range(rounds)]
    ours, others = zip(*turns, strict=True)
    print(
        f"{name}: port {median(ours):.2f} ms (least {min(ours):.2f}), "
        f"TensorFlow {median(others):.2f} ms (least {min(others):.2f}), "
        f"{median(ours) / median(others):.2f} times; {'the same bits' if same else 'OTHER BITS'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="of all files by both, in turns (default: 9)")
    rounds: int = parser.parse_args().rounds
    samples = [Sample(content, decode(content)) for content in files()]
    size = sum(len(sample.content) for sample in samples) / len(samples) / 1e3
    print(f"{len(samples)} files, {size:.0f} KB on average; CPU time an image, median of {rounds} rounds")
    for side in (331, 224):
        port = by_port(side)
        with by_tensorflow(side) as theirs:
            for part, work in theirs.items():
                compare(f"{side} {part}", port[part], work, samples, rounds)


if __name__ == "__main__":
    main()
