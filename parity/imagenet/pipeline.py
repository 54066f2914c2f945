"""Pixels made ahead of the models by threads, in bounded memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from parity.core.errors import InputError
from parity.core.layers import Network
from parity.imagenet.dataset import Dataset
from pnasnet_torch.decode import ImageError, decode
from pnasnet_torch.preprocess import preprocess

# Batches that are made ahead.
AHEAD = 2
Pixels = np.ndarray | ImageError


@dataclass(frozen=True)
class Batch:
    """Images by index, and the pixels of each (height, width, 3), or why there are none."""

    indices: tuple[int, ...]
    pixels: tuple[Pixels, ...]


def load(dataset: Dataset, index: int, network: Network) -> Pixels:
    """Return the image as the network's input (height, width, 3), or what is wrong with its file."""
    try:
        return preprocess(decode(dataset.read(index)), network.height, network.width)
    except ImageError as error:
        return error
    except (OSError, InputError) as error:
        # A file that cannot be read costs its image alone, and not the hours of the whole evaluation.
        return ImageError(f"cannot be read: {error}")


def batches(
    dataset: Dataset, network: Network, index_groups: Iterable[tuple[int, ...]], threads: int
) -> Iterator[Batch]:
    """Yield the batch of each group of indices, in turn; those behind it are decoded meanwhile."""
    waiting: deque[tuple[tuple[int, ...], list[Future[Pixels]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for indices in index_groups:
                futures = [pool.submit(load, dataset, index, network) for index in indices]
                waiting.append((indices, futures))
                if len(waiting) > AHEAD:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            # Who stops taking batches, or is interrupted, does not wait for images that nobody has begun.
            pool.shutdown(cancel_futures=True)


def _finished(indices: tuple[int, ...], futures: list[Future[Pixels]]) -> Batch:
    """Return the batch once all of its images are loaded."""
    return Batch(indices, tuple(future.result() for future in futures))
