"""The resize as compiled loops. numba keeps to the written order of float32 operations and fuses none of them."""

import numpy as np

from pnasnet_torch.compiling import compiled

Axis = tuple[np.ndarray, np.ndarray, np.ndarray]


@compiled
def _interpolate_row(line: np.ndarray, columns: Axis, scale: np.float32, row: np.ndarray) -> None:
    """Fill `row` (width * 3,) from one source row (W, 3) of uint8, scaled to 0..1 and interpolated to `columns`."""
    lower, upper, weight = columns
    for j in range(lower.size):
        left, right = lower[j], upper[j]
        for c in range(3):
            a = np.float32(line[left, c]) * scale
            b = np.float32(line[right, c]) * scale
            row[3 * j + c] = a + (b - a) * weight[j]


@compiled
def resize(image: np.ndarray, rows: Axis, columns: Axis, scale: np.float32, output: np.ndarray) -> None:
    """Fill `output` (height, width, 3) from `image` (H, W, 3): each source row that is needed once, then between two.

    As TensorFlow's legacy resize_bilinear: along a row first, then between the rows; then from 0..1 to -1..1.
    """
    lower, upper, weight = rows
    # A literal would be float64, and so would all that is computed with it.
    half, two = np.float32(0.5), np.float32(2)
    count = columns[0].size * 3
    top, bottom = np.empty(count, np.float32), np.empty(count, np.float32)
    top_index = bottom_index = -1
    for i in range(lower.size):
        # What was the lower of two source rows is often the upper one of the next two: it is not computed again.
        if lower[i] == bottom_index:
            top, bottom, top_index, bottom_index = bottom, top, bottom_index, top_index
        if lower[i] != top_index:
            top_index = lower[i]
            _interpolate_row(image[top_index], columns, scale, top)
        if upper[i] != bottom_index:
            bottom_index = upper[i]
            _interpolate_row(image[bottom_index], columns, scale, bottom)
        line = output[i].reshape(count)
        for k in range(count):
            line[k] = ((top[k] + (bottom[k] - top[k]) * weight[i]) - half) * two
