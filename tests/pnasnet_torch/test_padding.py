"""SAME padding: `same_padding` and `pad_same`."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from pnasnet_torch.padding import pad_same, same_padding

SIZES, KERNELS, STRIDES = st.integers(1, 400), st.integers(1, 9), st.integers(1, 4)


@given(SIZES, KERNELS, STRIDES)
def test_outputs_are_the_size_over_the_stride_rounded_up(size: int, kernel: int, stride: int) -> None:
    padded = size + sum(same_padding(size, kernel, stride))
    assert (padded - kernel) // stride + 1 == -(-size // stride)


@given(SIZES, KERNELS, STRIDES)
def test_the_odd_pixel_goes_behind(size: int, kernel: int, stride: int) -> None:
    before, after = same_padding(size, kernel, stride)
    assert 0 <= before <= after <= before + 1


@given(SIZES, KERNELS, STRIDES)
def test_no_pixel_is_added_that_no_window_reads(size: int, kernel: int, stride: int) -> None:
    before, after = same_padding(size, kernel, stride)
    last_window_end = (-(-size // stride) - 1) * stride + kernel
    assert before + after == 0 or before + size + after == last_window_end


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        pytest.param(42, 3, 2, (0, 1), id="even-3"),
        pytest.param(42, 5, 2, (1, 2), id="even-5"),
        pytest.param(42, 7, 2, (2, 3), id="even-7"),
        pytest.param(83, 3, 2, (1, 1), id="odd-3"),
        pytest.param(83, 7, 2, (3, 3), id="odd-7"),
        pytest.param(42, 7, 1, (3, 3), id="stride-1"),
        pytest.param(42, 1, 2, (0, 0), id="pointwise"),
        pytest.param(1, 7, 2, (3, 3), id="smaller-than-the-kernel"),
        pytest.param(2, 7, 2, (2, 3), id="two-pixels"),
    ],
)
def test_numbers_of_the_official_networks(size: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == expected


@given(st.integers(1, 12), st.integers(1, 12), KERNELS, STRIDES)
def test_pad_same_and_the_rest_add_up(height: int, width: int, kernel: int, stride: int) -> None:
    x = torch.rand(1, 2, height, width)
    padded, (rows, columns) = pad_same(x, kernel, stride, value=9.0)
    whole = F.pad(padded, (columns, columns, rows, rows), value=9.0)
    top, bottom = same_padding(height, kernel, stride)
    left, right = same_padding(width, kernel, stride)
    torch.testing.assert_close(whole, F.pad(x, (left, right, top, bottom), value=9.0), rtol=0, atol=0)


def test_symmetric_padding_copies_nothing() -> None:
    x = torch.rand(1, 2, 5, 9)
    padded, rest = pad_same(x, 3, 2)
    assert padded is x
    assert rest == (1, 1)


def test_one_asymmetric_side_pads_both() -> None:
    padded, rest = pad_same(torch.ones(1, 1, 5, 4), 3, 2)
    assert padded.shape == (1, 1, 7, 5)
    assert rest == (0, 0)
    assert padded[0, 0, 0, 0] == padded[0, 0, -1, -1] == 0
    assert padded[0, 0, 1, 0] == 1
