"""Preprocessing bit for bit as the official one: arrays, tensors with gradients, and the photographs."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from parity.core.specification import PHOTOGRAPHS
from pnasnet_torch import kernels
from pnasnet_torch import preprocess as port
from pnasnet_torch.preprocess import Axis, load_image, preprocess, preprocess_batch
from tf_reference.official import Source
from tf_reference.preprocess import load_images, preprocessing

Official = Callable[..., Any]
SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.integers(1, 60) | st.sampled_from([1, 2, 3, 127, 300])
FRACTIONS = st.sampled_from([0.875, 1.0, 0.5, 1 / 3, 1e-3, 1e-12]) | st.floats(0.001, 1)
# The seed of the image, its height and width, the target's, and the central fraction.
Case = tuple[int, int, int, int, int, float]
CASES = st.tuples(SEEDS, SIDES, SIDES, SIDES, SIDES, FRACTIONS)


@pytest.fixture(scope="session")
def official(source: Source) -> Official:
    """The official `preprocess_for_eval`, run at once."""
    return preprocessing(source)


def noise(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@settings(max_examples=600)
@given(CASES)
def test_pixels(official: Official, tf: Any, case: Case) -> None:
    assert_the_same_pixels(official, tf, case)


@pytest.mark.slow
@settings(max_examples=2500)
@given(CASES)
def test_the_pixels_of_many_images(official: Official, tf: Any, case: Case) -> None:
    assert_the_same_pixels(official, tf, case)


def assert_the_same_pixels(official: Official, tf: Any, case: Case) -> None:
    """Any image, any target, any central fraction: 0 ULP."""
    seed, height, width, rows, columns, fraction = case
    image = noise(seed, height, width)
    expected = official(tf.constant(image), rows, columns, central_fraction=fraction).numpy()
    assert preprocess(image, rows, columns, fraction).tobytes() == expected.tobytes()


@settings(max_examples=200)
@given(SEEDS, SIDES, SIDES, FRACTIONS)
def test_targets_of_the_crop_s_own_size(
    official: Official, tf: Any, seed: int, height: int, width: int, fraction: float
) -> None:
    """Where TensorFlow's resize only copies."""
    image = noise(seed, height, width)
    rows, columns = (side - 2 * int((side - side * fraction) / 2) for side in (height, width))
    expected = official(tf.constant(image), rows, columns, central_fraction=fraction).numpy()
    assert preprocess(image, rows, columns, fraction).tobytes() == expected.tobytes()


@pytest.mark.parametrize("fraction", [0.875, 0.7, 0.1, 1.0])
@pytest.mark.parametrize(("rows", "columns"), [(33, 33), (20, 47)], ids=["square", "wide"])
def test_images_whose_size_the_graph_does_not_know(
    official: Official, tf: Any, rows: int, columns: int, fraction: float
) -> None:
    """As in the official evaluation: TensorFlow cuts the margins then, not Python, and by the fraction in float32."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        image = tf.compat.v1.placeholder(tf.uint8, [None, None, 3])
        pixels = official(image, rows, columns, central_fraction=fraction)
        for seed in range(150):
            values = noise(seed, *np.random.default_rng(seed).integers(1, 80, 2))
            expected = session.run(pixels, {image: values})
            assert preprocess(values, rows, columns, float(np.float32(fraction))).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("height", "width", "fraction"),
    [(100, 101, 1e-17), (2, 3, 5e-324), (0, 9, 1.0), (9, 0, 1.0)],
    ids=["tiny", "smallest", "no rows", "no columns"],
)
def test_a_crop_of_no_pixels_is_refused(official: Official, tf: Any, height: int, width: int, fraction: float) -> None:
    image = noise(0, height, width)
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
        official(tf.constant(image), 5, 5, central_fraction=fraction)
    with pytest.raises(ValueError, match="pixel"):
        preprocess(image, 5, 5, fraction)


def grid(
    half: float = 0, corners: int = 0, cut: Callable[[float], int] = int, real: type = np.float32
) -> Callable[[int, int, float], Axis]:
    """`resize_axis`, with one thing done differently."""

    def resize_axis(size: int, target: int, central_fraction: float) -> Axis:
        start = cut((size - size * central_fraction) / 2)
        cropped = size - 2 * start
        scale = real(cropped - corners) / real(target - corners)
        source = ((np.arange(target, dtype=real) + real(half)) * scale - real(half)).clip(0)
        lower, upper = np.floor(source), np.minimum(np.ceil(source), cropped - 1)
        weight = (source - lower).astype(np.float32)
        return Axis(lower.astype(np.int64) + start, upper.astype(np.int64) + start, weight)

    return resize_axis


def resize(divided: bool = False, dims: tuple[int, int] = (1, 0)) -> Callable[..., None]:
    """The compiled loops said in numpy, with one thing done differently."""

    def fill(image: np.ndarray, rows: Axis, columns: Axis, scale: np.float32, output: np.ndarray) -> None:
        values = image / np.float32(255) if divided else image * scale
        for dim in dims:
            lower, upper, weight = (rows, columns)[dim]
            first = values.take(lower, dim)
            values = first + (values.take(upper, dim) - first) * np.expand_dims(weight, (1 - dim, 2))
        output[:] = (values - np.float32(0.5)) * np.float32(2)

    return fill


FAULTS: dict[str, tuple[ModuleType, str, object]] = {
    "half-pixel": (port, "resize_axis", grid(half=0.5)),
    "aligned corners": (port, "resize_axis", grid(corners=1)),
    "rounded crop": (port, "resize_axis", grid(cut=round)),
    "float64 weights": (port, "resize_axis", grid(real=np.float64)),
    "scale": (port, "SCALE", np.nextafter(np.float32(1 / 255), np.float32(1))),
    "division": (kernels, "resize", resize(divided=True)),
    "rows first": (kernels, "resize", resize(dims=(0, 1))),
}
SOUND = {"grid": (port, "resize_axis", grid()), "loops": (kernels, "resize", resize())}


@pytest.mark.parametrize(("module", "name", "value"), [*FAULTS.values(), *SOUND.values()], ids=[*FAULTS, *SOUND])
def test_a_fault_in_the_arithmetic_is_found(
    official: Official, tf: Any, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, value: object
) -> None:
    """And the same code without a fault is not."""
    image = noise(0, 61, 79)
    expected = official(tf.constant(image), 31, 33).numpy().tobytes()
    assert preprocess(image, 31, 33).tobytes() == expected
    monkeypatch.setattr(module, name, value)
    assert (preprocess(image, 31, 33).tobytes() == expected) == ((module, name, value) in SOUND.values())


def batch(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("floating", [False, True], ids=["uint8", "float32"])
@settings(max_examples=150)
@given(CASES)
def test_a_batch(official: Official, tf: Any, floating: bool, layout: torch.memory_format, case: Case) -> None:
    """Bytes, and images that are floating point already, from 0 to 1."""
    seed, height, width, rows, columns, fraction = case
    images = np.stack([noise(seed, height, width), noise(seed + 1, height, width)])
    images = np.random.default_rng(seed).random(images.shape, np.float32) if floating else images
    found = preprocess_batch(batch(images).contiguous(memory_format=layout), rows, columns, fraction)
    for image, pixels in zip(images, found.permute(0, 2, 3, 1), strict=True):
        expected = official(tf.constant(image), rows, columns, central_fraction=fraction).numpy()
        assert pixels.contiguous().numpy().tobytes() == expected.tobytes()


def port_gradient(image: np.ndarray, weights: np.ndarray, fraction: float) -> np.ndarray:
    """Of the sum of the weighted outputs with respect to the image."""
    tensor = batch(image[None]).requires_grad_()
    rows, columns, _ = weights.shape
    found = preprocess_batch(tensor, rows, columns, fraction)
    (gradient,) = torch.autograd.grad(found, tensor, batch(weights[None]))
    return gradient[0].permute(1, 2, 0).numpy()


def error_of_gradients(official: Official, tf: Any, case: Case) -> float:
    """The largest difference to TensorFlow's, in roundings of float32 of the largest sum of the absolute terms."""
    seed, height, width, rows, columns, fraction = case
    rng = np.random.default_rng(seed)
    image, weights = rng.random((height, width, 3), np.float32), rng.normal(size=(rows, columns, 3)).astype(np.float32)
    value = tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(value)
        pixels = official(value, rows, columns, central_fraction=fraction)
    expected = tape.gradient(pixels, value, output_gradients=weights).numpy()
    terms = port_gradient(image, abs(weights), fraction)
    return float(abs(port_gradient(image, weights, fraction) - expected).max() / terms.max() * 2**24)


@settings(max_examples=300)
@given(CASES)
def test_gradients(official: Official, tf: Any, case: Case) -> None:
    """Each is a sum of products that the two add in different orders: bounded by its terms' size. Seen: 5 roundings."""
    assert error_of_gradients(official, tf, case) <= 10


def test_a_fault_in_the_gradients_is_found(official: Official, tf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "resize_axis", grid(half=0.5))
    assert error_of_gradients(official, tf, (0, 61, 79, 31, 33, 0.875)) > 1000


@pytest.mark.parametrize("size", [(331, 331), (323, 323), (224, 224), (97, 130)], ids=str)
def test_photographs(source: Source, size: tuple[int, int]) -> None:
    """Every photograph that comes with parity, at the networks' sizes."""
    paths = sorted(PHOTOGRAPHS.glob("*.jpg"))
    assert len(paths) == 4
    expected = load_images(source, paths, *size)
    assert np.stack([load_image(path, *size) for path in paths]).tobytes() == expected.tobytes()


def test_a_photograph_by_the_other_dct_differs(source: Source) -> None:
    path = PHOTOGRAPHS / "chelsea.jpg"
    expected = load_images(source, [path], 224, 224)
    assert load_image(path, 224, 224).tobytes() == expected.tobytes()
    assert load_image(path, 224, 224, accurate_dct=True).tobytes() != expected.tobytes()
