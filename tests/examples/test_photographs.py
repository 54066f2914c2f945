"""What is held out is never trained on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from photographs import WINDOWS, class_folders, own_photographs, parts, window


@pytest.mark.parametrize("width", [20, 451, 512, 640])
def test_the_two_parts_of_a_photograph_share_no_pixel(width: int) -> None:
    columns = np.arange(width)[None, :].repeat(2, axis=0)
    left, right = parts(columns)
    assert left.max() < right.min()
    assert (left.min(), right.max()) == (0, width - 1)


def test_windows_lie_in_their_part() -> None:
    pixels, generator = np.arange(60 * 40).reshape(60, 40), torch.Generator().manual_seed(0)
    windows = [window(pixels, generator) for _ in range(200)]
    assert {int(found[0, 0] < found[0, -1]) for found in windows} == {0, 1}  # some are mirrored
    for found in windows:
        cut = np.sort(found, axis=1)
        row, column = divmod(int(cut[0, 0]), 40)
        assert np.array_equal(cut, pixels[row : row + cut.shape[0], column : column + cut.shape[1]])
    assert min(found.size for found in windows) < 0.3 * pixels.size < 0.8 * pixels.size < max(map(np.size, windows))


def test_the_held_out_windows_depend_on_the_seed_alone() -> None:
    one, two, other = own_photographs(0), own_photographs(0), own_photographs(1)
    assert one.classes == ["astronaut", "chelsea", "coffee", "rocket"]
    assert [label for _, label in one.held_out] == [label for label in range(4) for _ in range(WINDOWS)]
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(one.held_out, two.held_out, strict=True))
    assert [image.shape for image, _ in one.held_out] != [image.shape for image, _ in other.held_out]


def test_the_last_quarter_of_each_class_is_held_out(folder: Path) -> None:
    data = class_folders(folder)
    assert data.classes == ["cat", "cup"]
    assert [label for _, label in data.training] == [0] * 3 + [1] * 3
    assert [label for _, label in data.held_out] == [0] * 2 + [1] * 2
    assert not {image.tobytes() for image, _ in data.training} & {image.tobytes() for image, _ in data.held_out}
