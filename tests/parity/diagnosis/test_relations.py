"""Each relation is recognised where it was planted, and nowhere else."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from parity.diagnosis.relations import RELATIONS, Relation, describe, same

MAP, KERNEL, MATRIX, VECTOR = (2, 9, 12, 8), (3, 3, 6, 8), (12, 12), (24,)
SQUARE = (2, 9, 9, 8)
ALL = np.s_[:]
DTYPES = ("float64", "float32")


def random(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.3, 1, shape).astype(dtype)


def with_change(index: Any, change: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Changes a part of a copy."""

    def plant(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        x[index] = change(x[index])
        return x

    return plant


def exchanged(x: np.ndarray, axis: int, one: int, other: int) -> np.ndarray:
    order = np.arange(x.shape[axis])
    order[[one, other]] = other, one
    return np.take(x, order, axis)


def dropped(x: np.ndarray) -> np.ndarray:
    return x * (np.random.default_rng(1).uniform(size=x.shape) < 0.5) * 2


def shifted(x: np.ndarray) -> np.ndarray:
    """One row down and two columns to the left; zeros come in."""
    moved = np.zeros_like(x)
    moved[:, 1:, :-2] = x[:, :-1, 2:]
    return moved


class Planted(NamedTuple):
    shape: tuple[int, ...]
    plant: Callable[[np.ndarray], np.ndarray]
    words: str


def scaled(*index: Any) -> Callable[[np.ndarray], np.ndarray]:
    """A part of it twice as large."""
    return with_change(index, lambda x: x * 2)


EDGE = "edge alone: other padding"
LOW = (2, 5, 12, 8)
PLANTED = {
    "zero": Planted(MAP, np.zeros_like, "all zero"),
    "float16": Planted(KERNEL, lambda x: x.astype(np.float16).astype(x.dtype), "rounded to float16"),
    "one element": Planted(
        KERNEL, with_change((1, 2, 0, 4), lambda _: 7), "1 of 432 values, such as [1, 2, 0, 4]: 7, not 2.06067"
    ),
    "two elements": Planted(VECTOR, with_change([5, 9], lambda _: 7), "2 of 24 values, such as [5]: 7, not 0.661595"),
    "sixteen elements": Planted(
        (128,), with_change(np.s_[::8], lambda _: 7), "16 of 128 values, such as [0]: 7, not 0.42573"
    ),
    "seventeen elements": Planted((17, 20), with_change((range(17), range(17)), lambda _: 7), ""),
    "a quarter": Planted((8,), with_change([2, 5], lambda _: 7), "2 of 8 values, such as [2]: 7, not 0.940423"),
    "more than a quarter": Planted((11,), with_change([2, 5, 8], lambda _: 7), ""),
    "extra relu": Planted(MAP, lambda x: np.maximum(x, 0), "an extra ReLU"),
    "cut off": Planted(MAP, lambda x: np.minimum(x, 2), "cut off at 2"),
    "negative": Planted(MAP, np.negative, "the negative of it"),
    "scaled": Planted(MAP, lambda x: x * x.dtype.type(0.5), "scaled by 0.5"),
    "off": Planted(MAP, lambda x: x + x.dtype.type(0.25), "off by 0.25"),
    "scaled and off": Planted(MATRIX, lambda x: x * x.dtype.type(2) + x.dtype.type(3), "scaled by 2, then off by 3"),
    "dropout": Planted(MAP, dropped, "51% kept and scaled by 2: dropout"),
    "rows and columns": Planted((3, 3, 6, 1), lambda x: x.swapaxes(0, 1), "transposed: rows and columns exchanged"),
    "map transposed": Planted(SQUARE, lambda x: x.swapaxes(1, 2), "transposed: rows and columns exchanged"),
    "matrix transposed": Planted(MATRIX, np.transpose, "transposed: inputs and outputs exchanged"),
    "columns flipped": Planted(KERNEL, lambda x: x[:, ::-1], "flipped along columns"),
    "both flipped": Planted(KERNEL, lambda x: x[::-1, ::-1], "flipped along rows and columns"),
    "channels flipped": Planted(MAP, lambda x: x[..., ::-1], "flipped along channels"),
    "shifted": Planted(MAP, shifted, "shifted by +1 rows and -2 columns"),
    "shifted rows": Planted(MAP, lambda x: np.roll(x, -2, 1), "shifted by -2 rows and +0 columns"),
    "flipped thrice": Planted(
        (2, 5, 6, 3), lambda x: x[:, ::-1, ::-1, ::-1], "flipped along rows and columns and channels"
    ),
    "images permuted": Planted(
        (3, 9, 9, 4), lambda x: x[[0, 2, 1]], "images permuted: 1 has the values of 2 (2 are moved)"
    ),
    "inputs permuted": Planted(
        KERNEL, lambda x: exchanged(x, 2, 1, 4), "inputs permuted: 1 has the values of 4 (2 are moved)"
    ),
    "outputs permuted": Planted(
        KERNEL, lambda x: np.roll(x, 1, 3), "outputs permuted: 0 has the values of 7 (8 are moved)"
    ),
    "vector permuted": Planted(
        VECTOR, lambda x: np.roll(x, -1), "channels permuted: 0 has the values of 1 (24 are moved)"
    ),
    "top": Planted(MAP, scaled(ALL, 0), f"the top {EDGE}"),
    "three at the top": Planted(MAP, scaled(ALL, np.s_[:3]), f"the top {EDGE}"),
    "three at the bottom": Planted(MAP, scaled(ALL, np.s_[-3:]), f"the bottom {EDGE}"),
    "left": Planted(MAP, scaled(ALL, ALL, 0), f"the left {EDGE}"),
    "three at the left": Planted(MAP, scaled(ALL, ALL, np.s_[:3]), f"the left {EDGE}"),
    "three at the right": Planted(MAP, scaled(ALL, ALL, np.s_[-3:]), f"the right {EDGE}"),
    "top and right": Planted(
        MAP, lambda x: scaled(ALL, ALL, -1)(scaled(ALL, 0, np.s_[:-1])(x)), f"the top, right {EDGE}"
    ),
    "left of a low map": Planted(LOW, scaled(ALL, ALL, np.s_[:2]), f"the left {EDGE}"),
    "top of a low map": Planted(LOW, scaled(ALL, np.s_[:2]), f"the top {EDGE}"),
    "all of a small map": Planted(
        (2, 5, 6, 3), lambda x: np.random.default_rng(5).standard_normal(x.shape).astype(x.dtype), ""
    ),
    "a fourth row": Planted((2, 12, 9, 3), scaled(ALL, 3), ""),
    "a fourth row from below": Planted((2, 12, 9, 3), scaled(ALL, -4), ""),
    "the middle alone": Planted((2, 9, 9, 3), scaled(ALL, np.s_[3:6], np.s_[3:6]), ""),
    "a channel": Planted(MAP, scaled(..., 7), "1 of 8 channels alone, such as 7"),
    "two channels": Planted(MAP, with_change(np.s_[..., [2, 5]], lambda x: x * x), "2 of 8 channels alone, such as 2"),
    "three of eleven channels": Planted((2, 4, 4, 11), with_change(np.s_[..., :3], lambda x: x * x), ""),
    "channels off": Planted(MAP, lambda x: x + np.arange(8, dtype=x.dtype), "each channel off by a constant"),
    "channels scaled": Planted(
        MAP,
        lambda x: x * np.arange(1, 9, dtype=x.dtype) - np.arange(8, dtype=x.dtype),
        "each channel scaled, by 1 to 8, and off by a constant",
    ),
    "not finite": Planted(
        MAP, with_change(np.s_[0, 0, 0, :3], lambda x: x * np.nan), "3 of 1,728 values are not finite"
    ),
    "infinite": Planted(MAP, with_change(np.s_[0, 0, 0, 1], lambda x: x * np.inf), "1 of 1,728 values are not finite"),
    "another shape": Planted(MAP, lambda x: x[:, 1:], "shape (2, 8, 12, 8) instead of (2, 9, 12, 8)"),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PLANTED)
def test_what_was_planted_is_told(name: str, dtype: str) -> None:
    """In both dtypes, whatever the rounding."""
    shape, plant, words = PLANTED[name]
    expected = random(shape, dtype)
    actual = plant(expected)
    assert actual.dtype == dtype
    assert describe(actual, expected) == words


@pytest.mark.parametrize("size", [1e-4, 1e4])
@pytest.mark.parametrize("name", ["top", "left of a low map", "a channel", "one element", "shifted", "negative"])
def test_the_size_of_the_values_does_not_matter(name: str, size: float) -> None:
    shape, plant, words = PLANTED[name]
    expected = random(shape)
    assert describe(plant(expected) * size, expected * size).split(":")[0] == words.split(":")[0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_missing_relu_is_recognised_from_what_it_would_have_cut(dtype: str) -> None:
    actual = random(MAP, dtype)
    assert describe(actual, np.maximum(actual, 0)) == "a missing ReLU"


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_bounded_relu_is_recognised_by_its_bound(dtype: str) -> None:
    expected = np.maximum(random(MAP, dtype), 0)
    assert describe(np.minimum(expected, 2), expected) == "cut off at 2"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PLANTED)
def test_an_array_that_is_the_same_has_no_relation(name: str, dtype: str) -> None:
    """Nor has one that differs by rounding alone."""
    expected = random(PLANTED[name].shape, dtype)
    assert describe(expected.copy(), expected) == ""
    assert describe(np.nextafter(expected, np.inf, dtype=expected.dtype), expected) == ""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [MAP, SQUARE, KERNEL, (1, 1, 8, 8), MATRIX, VECTOR, (1, 2, 2, 8)], ids=str)
@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.__name__)
def test_no_relation_holds_between_unrelated_arrays(relation: Relation, shape: tuple[int, ...], dtype: str) -> None:
    """Of normal values, and of what a ReLU leaves of them."""
    for seed in range(0, 20, 2):
        actual, expected = random(shape, dtype, seed), random(shape, dtype, seed + 1)
        assert relation(actual, expected) == ""
        assert relation(np.maximum(actual, 0), np.maximum(expected, 0)) == ""


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=2, max_side=6) | st.just((1, 6, 6, 3)))
def test_a_description_is_found_for_whatever_values(data: st.DataObject, shape: tuple[int, ...]) -> None:
    """No values make a relation fail, and equal ones never have one."""
    values = st.sampled_from([0.0, 1.0, -1.0, 2.0, 1e-30, 1e30, np.inf, np.nan])
    actual, expected = (data.draw(hnp.arrays(np.float64, shape, elements=values)) for _ in range(2))
    if np.isfinite(expected).all():
        assert isinstance(describe(actual, expected), str)
        assert describe(expected, expected) == ""


@pytest.mark.parametrize(("dtype", "near", "far"), [("float64", 1e-10, 1e-8), ("float32", 1e-7, 1e-5)])
def test_same_is_to_rounding(dtype: str, near: float, far: float) -> None:
    """Relative to the norm of what is expected, and not to a single value."""
    expected = random(MAP, dtype)
    assert same((expected * (1 + near)).astype(dtype), expected)
    assert not same((expected * (1 + far)).astype(dtype), expected)


def test_what_is_not_a_number_is_the_same_as_nothing() -> None:
    """Nor is an array of another shape, even if it would broadcast."""
    expected = random(MAP)
    holed = with_change((0, 0, 0, 0), lambda x: x * np.nan)(expected)
    assert not same(holed, expected)
    assert not same(holed, holed)
    assert not same(np.zeros(1), np.zeros(3))
    assert same(np.zeros(3), np.zeros(3))
