"""What is stored of an array: the smallest type that gives every bit back, and a digest of all that it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from parity.reference.trace.encoding import digest, narrow


def bits(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    """Return all that makes an array: for two, equality is then that of their bits, NaNs and -0.0 among them."""
    return str(array.dtype), array.shape, array.tobytes()


@given(arrays.arrays(np.float32, arrays.array_shapes()) | arrays.arrays(np.float64, arrays.array_shapes()))
def test_what_is_stored_gives_the_same_bits_back(array: np.ndarray) -> None:
    assert bits(narrow(array).astype(array.dtype)) == bits(array)


@pytest.mark.parametrize(
    ("values", "dtype"), [([127, -127], "int8"), ([128], "int16"), ([-32768.0], "int32"), ([2**31 - 1], "int32")]
)
def test_integers_are_stored_in_the_smallest_type(values: list[float], dtype: str) -> None:
    assert narrow(np.array(values, np.float64)).dtype == dtype


@pytest.mark.parametrize("values", [[0.5], [-0.0], [2.0**31], [np.nan], [np.inf], [1] * 5000 + [0.5]])
def test_anything_else_is_stored_as_it_is(values: list[float]) -> None:
    array = np.array(values)
    assert narrow(array) is array


def test_equal_bytes_of_another_shape_or_dtype_are_another_array() -> None:
    zeros = np.zeros((2, 3), np.float32)
    reshaped, transposed, integers = zeros.reshape(3, 2), zeros.T.copy(), zeros.view(np.int32)
    # The transpose of zeros is the reshaped array once more.
    assert len({digest(zeros), digest(reshaped), digest(integers), digest(transposed)}) == 3
