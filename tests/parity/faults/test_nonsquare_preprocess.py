"""Preprocessing that takes rows for columns: square images in a square network show nothing, others all of it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from parity.core.layers import Network
from parity.gates import preprocess as gate
from parity.reference.interface import OfficialPixels
from parity.reference.live import LiveReference
from parity.session.options import Options
from pnasnet_torch.kernels import resize
from pnasnet_torch.preprocess import CENTRAL_FRACTION, SCALE, Axis, preprocess

# Rows and columns: of something each.
Pair = tuple[float, float]
# From a decoded image (H, W, 3) and the network's height and width to its input (height, width, 3).
Preprocess = Callable[[np.ndarray, int, int], np.ndarray]

SQUARE_FILE, FILES = "square.png", {"square.png": (60, 60), "wide.png": (50, 70), "high.png": (71, 52)}
SQUARE_NETWORK, *OTHERS = (Network("mobile", *sides) for sides in ((64, 64), (64, 97), (90, 61)))
NETWORKS = (SQUARE_NETWORK, *OTHERS)


def other_network(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Takes the network's width for its height."""
    return preprocess(image, width, height)


def other_layout(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Computes columns x rows, and calls them rows x columns."""
    return preprocess(image, width, height).reshape(height, width, 3)


def square_network(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes to a square, and cuts what is asked for from it."""
    side = max(height, width)
    return preprocess(image, side, side)[:height, :width]


def other_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Takes the decoder's bytes for an image of columns x rows."""
    return preprocess(image.reshape(image.shape[1], image.shape[0], 3), height, width)


def other_stride(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Reads each row as many pixels behind the last as there are rows."""
    rows, columns = image.shape[:2]
    positions = np.arange(rows)[:, None] * rows + np.arange(columns)
    return preprocess(image.reshape(-1, 3)[positions % (rows * columns)], height, width)


def square_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Begins with the square in the middle."""
    side = min(image.shape[:2])
    return preprocess(_middle(image, side, side), height, width)


def aspect_kept(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Begins with the largest part in the middle that has the network's aspect ratio."""
    rows, columns = image.shape[:2]
    part = _middle(image, min(rows, columns * height // width), min(columns, rows * width // height))
    return preprocess(part, height, width)


def _middle(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    top, left = (image.shape[0] - rows) // 2, (image.shape[1] - columns) // 2
    return image[top : top + rows, left : left + columns]


def unchanged(pair: Pair) -> Pair:
    return pair


def exchanged(pair: Pair) -> Pair:
    return pair[1], pair[0]


def of_rows(pair: Pair) -> Pair:
    return pair[0], pair[0]


def of_columns(pair: Pair) -> Pair:
    return pair[1], pair[1]


def resampled(
    image: np.ndarray,
    height: int,
    width: int,
    margins: Callable[[Pair], Pair] = unchanged,
    scales: Callable[[Pair], Pair] = unchanged,
) -> np.ndarray:
    """Crops by other margins (pixels), or resizes by other scales (source pixels for each of the output)."""
    sides = image.shape[:2]
    top, left = map(int, margins((_margin(sides[0]), _margin(sides[1]))))
    cropped = sides[0] - 2 * top, sides[1] - 2 * left
    down, across = scales((_scale(cropped[0], height), _scale(cropped[1], width)))
    output = np.empty((height, width, 3), np.float32)
    resize(image, _axis(cropped[0], height, top, down), _axis(cropped[1], width, left, across), SCALE, output)
    return output


def _margin(side: int) -> int:
    return int((side - side * CENTRAL_FRACTION) / 2)


def _scale(cropped: int, target: int) -> float:
    return float(np.float32(cropped) / np.float32(target))


def _axis(cropped: int, target: int, start: int, scale: float) -> Axis:
    source = np.minimum(np.arange(target, dtype=np.float32) * np.float32(scale), np.float32(cropped - 1))
    lower, upper = np.floor(source), np.minimum(np.ceil(source), cropped - 1)
    return Axis(lower.astype(np.int64) + start, upper.astype(np.int64) + start, source - lower)


OF_THE_NETWORK: dict[str, Preprocess] = {
    "the network's rows and columns exchanged": other_network,
    "the network's rows and columns exchanged in its layout": other_layout,
    "resized to a square, then cropped": square_network,
}
OF_THE_IMAGE: dict[str, Preprocess] = {
    "read as columns x rows": other_image,
    "read with the stride of the rows": other_stride,
    "cropped to a square": square_image,
    "margins of rows and columns exchanged": partial(resampled, margins=exchanged),
    "margin of the rows for both": partial(resampled, margins=of_rows),
    "margin of the columns for both": partial(resampled, margins=of_columns),
}
OF_BOTH: dict[str, Preprocess] = {
    "aspect ratio kept": aspect_kept,
    "scales of rows and columns exchanged": partial(resampled, scales=exchanged),
    "scale of the rows for both": partial(resampled, scales=of_rows),
    "scale of the columns for both": partial(resampled, scales=of_columns),
}


class Remembered(LiveReference):
    """TensorFlow's pixels, computed once for each file and network."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._known = {
            (network, name): super(Remembered, self).preprocessed(network, name)
            for network in options.networks
            for name in options.preprocessed
        }

    def preprocessed(self, network: Network, name: str) -> OfficialPixels:
        return self._known[network, name]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> LiveReference:
    folder, random = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for name, sides in FILES.items():
        Image.fromarray(random.integers(0, 256, (*sides, 3), np.uint8)).save(folder / name)
    paths: tuple[Path, ...] = tuple(folder / name for name in FILES)
    return Remembered(Options(NETWORKS, None, paths, ("official",), 0, 1))


@pytest.fixture
def found(
    reference: LiveReference, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Preprocess], set[tuple[str, Network]]]:
    """Gives the files and networks at which the gate finds a fault."""

    def judge(fault: Preprocess) -> set[tuple[str, Network]]:
        monkeypatch.setattr("parity.gates.preprocess.preprocess", fault)
        return {
            (name, network)
            for network in NETWORKS
            for name, result in gate.judge(reference, network, FILES).items()
            if not result
        }

    return judge


Found = Callable[[Preprocess], set[tuple[str, Network]]]


@pytest.mark.parametrize("fault", [preprocess, resampled])
def test_the_sound_preprocessing_passes_everywhere(found: Found, fault: Preprocess) -> None:
    assert found(fault) == set()


@pytest.mark.parametrize("name", OF_THE_NETWORK)
def test_a_network_that_is_no_square_shows_its_faults(found: Found, name: str) -> None:
    """Whatever the image: and a square network never does."""
    assert found(OF_THE_NETWORK[name]) == {(file, network) for file in FILES for network in OTHERS}


@pytest.mark.parametrize("name", OF_THE_IMAGE)
def test_an_image_that_is_no_square_shows_its_faults(found: Found, name: str) -> None:
    """Whatever the network: and a square image never does."""
    others = FILES.keys() - {SQUARE_FILE}
    assert found(OF_THE_IMAGE[name]) == {(file, network) for file in others for network in NETWORKS}


@pytest.mark.parametrize("name", OF_BOTH)
def test_other_aspect_ratios_show_their_faults(found: Found, name: str) -> None:
    """A square image in a square network alone does not."""
    everywhere = {(file, network) for file in FILES for network in NETWORKS}
    assert found(OF_BOTH[name]) == everywhere - {(SQUARE_FILE, SQUARE_NETWORK)}
