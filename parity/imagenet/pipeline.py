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
    """The image as the network's input, or what is wrong with its file."""
    try:
        return preprocess(decode(dataset.read(index)), network.height, network.width)
    except ImageError as error:
        return error
    except (OSError, InputError) as error:
        return ImageError(f"cannot be read: {error}")


def batches(dataset: Dataset, network: Network, cut: Iterable[tuple[int, ...]], threads: int) -> Iterator[Batch]:
    """The batches of the indices in `cut`, in turn."""
    waiting: deque[tuple[tuple[int, ...], list[Future[Pixels]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for indices in cut:
                waiting.append((indices, [pool.submit(load, dataset, index, network) for index in indices]))
                if len(waiting) > AHEAD:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _finished(indices: tuple[int, ...], futures: list[Future[Pixels]]) -> Batch:
    return Batch(indices, tuple(future.result() for future in futures))
