"""Each operation by its own definition, without TensorFlow."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from pnasnet_torch.operations import BatchNorm, Clip, Concat, DropPath, GlobalMean, SameConv2d, SameMaxPool2d, Subsample

SIDES = st.integers(1, 9)


@given(SIDES, SIDES, st.sampled_from([0, 1]))
def test_subsample_takes_every_second_pixel_and_zeros_beyond_the_edge(height: int, width: int, offset: int) -> None:
    x = torch.arange(1.0, height * width + 1).reshape(1, 1, height, width)
    result = Subsample(offset)(x)[0, 0]
    assert result.shape == (-(-height // 2), -(-width // 2))
    for row, column in np.ndindex(*result.shape):
        source = 2 * row + offset, 2 * column + offset
        inside = source[0] < height and source[1] < width
        assert result[row, column] == (x[0, 0][source] if inside else 0)


@given(arrays(np.float32, (1, 2, 7, 6), elements=st.floats(-10, -1, width=32)), st.sampled_from([1, 2]))
def test_max_pool_never_returns_padding(x: np.ndarray, stride: int) -> None:
    result = SameMaxPool2d(3, stride)(torch.from_numpy(x))
    assert torch.isin(result, torch.from_numpy(x)).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (2, 2)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_max_pool_of_less_than_its_window_takes_all(size: tuple[int, int]) -> None:
    x = -torch.rand(1, 1, *size) - 1
    assert torch.equal(SameMaxPool2d(3, 2)(x), x.amax((2, 3), keepdim=True))


def test_same_conv_has_no_bias_and_depthwise_is_grouped() -> None:
    depthwise = SameConv2d(6, 6, 5, 2, groups=6)
    assert depthwise.bias is None
    assert depthwise.weight.shape == (6, 1, 5, 5)
    assert list(SameConv2d(6, 4, 1).state_dict()) == ["weight"]


def test_batch_norm_has_the_official_constants() -> None:
    norm = BatchNorm(4)
    assert norm.eps == 1e-3
    assert norm.momentum == float(np.float32(1) - np.float32(0.9997))
    assert norm.affine
    assert norm.track_running_stats


def test_batch_norm_keeps_no_count() -> None:
    norm = BatchNorm(4)
    norm(torch.rand(2, 4, 3, 3))
    assert list(norm.state_dict()) == ["weight", "bias", "running_mean", "running_var"]
    assert list(dict(norm.named_buffers())) == ["running_mean", "running_var"]


@pytest.mark.parametrize("with_metadata", [True, False], ids=["with-metadata", "plain-dict"])
def test_batch_norm_loads_strictly(with_metadata: bool) -> None:
    state = BatchNorm(4).state_dict()
    state["running_mean"] += 3
    norm = nn.Sequential(BatchNorm(4))
    saved = nn.Sequential(BatchNorm(4)).state_dict() if with_metadata else {}
    saved.update({f"0.{name}": tensor for name, tensor in state.items()})
    norm.load_state_dict(saved, strict=True)
    assert torch.equal(norm.state_dict()["0.running_mean"], state["running_mean"])


def test_batch_norm_moves_its_statistics_by_the_complement_of_slims_decay() -> None:
    norm, x = BatchNorm(3).double(), torch.rand(4, 3, 5, 5, dtype=torch.float64)
    norm(x)
    new = float(np.float32(1) - np.float32(0.9997))  # as TensorFlow subtracts it
    torch.testing.assert_close(norm.running_mean, new * x.mean((0, 2, 3)), rtol=1e-12, atol=0)
    expected = 1 - new + new * x.transpose(0, 1).flatten(1).var(1)
    torch.testing.assert_close(norm.running_var, expected, rtol=1e-12, atol=0)


def test_clip_concat_and_mean() -> None:
    x = torch.tensor([-7.0, -6, 0, 6, 7])
    assert Clip()(x).tolist() == [-6, -6, 0, 6, 6]
    one, two = torch.ones(1, 2, 2, 3), torch.full((1, 1, 2, 3), 4.0)
    assert GlobalMean()(Concat()(one, two)).tolist() == [[1, 1, 4]]


def large_drop_path(depth: int) -> DropPath:
    return DropPath(keep_prob=0.6, depth=depth, num_cells=14, total_steps=250_000)


# 1 - min(1, step / 250000) * (depth + 1) / 14 * 0.4, computed by hand.
SCHEDULE = [
    (0, 0, 1.0),
    (0, 125_000, 1 - 0.2 / 14),
    (0, 250_000, 1 - 0.4 / 14),
    (0, None, 1 - 0.4 / 14),
    (6, 0, 1.0),
    (6, 1, 1 - 0.8e-6),
    (6, 125_000, 0.9),
    (6, 250_000, 0.8),
    (6, None, 0.8),
    (13, 0, 1.0),
    (13, 1, 1 - 1.6e-6),
    (13, 125_000, 0.8),
    (13, 250_000, 0.6),
    (13, 1_000_000, 0.6),
    (13, None, 0.6),
]


@pytest.mark.parametrize(("depth", "step", "expected"), SCHEDULE)
def test_drop_path_follows_the_official_schedule(depth: int, step: int | None, expected: float) -> None:
    assert large_drop_path(depth).keep_prob(step).item() == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("step", [0, 1, 125_000, 250_000, 1_000_000])
def test_drop_path_takes_the_step_as_a_tensor(step: int) -> None:
    drop_path = large_drop_path(9)
    found = drop_path.keep_prob(torch.tensor(step))
    assert torch.equal(found, drop_path.keep_prob(step))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_drop_path_drops_whole_examples_and_scales_the_others(dtype: torch.dtype) -> None:
    x = torch.rand(64, 3, 4, 5, dtype=dtype) + 1
    drop_path = large_drop_path(13)
    ratio = drop_path(x) / x
    assert ratio.dtype == dtype
    per_example = ratio.flatten(1)
    kept = per_example[:, 0] > 0
    assert 0 < kept.sum() < len(x)
    torch.testing.assert_close(per_example, (kept / 0.6).to(dtype)[:, None].expand_as(per_example))


@pytest.mark.parametrize(("step", "keep_prob"), [(None, 0.6), (125_000, 0.8)], ids=["at-the-end", "halfway"])
def test_drop_path_keeps_the_expectation(step: int | None, keep_prob: float) -> None:
    examples = 20_000
    result = large_drop_path(13)(torch.ones(examples, 1, 1, 1), step)
    five_sigmas = 5 * np.sqrt((1 - keep_prob) / keep_prob / examples)
    assert result.mean().item() == pytest.approx(1, abs=five_sigmas)


def test_drop_path_does_nothing_in_evaluation() -> None:
    x = torch.rand(8, 2, 2, 2)
    assert large_drop_path(13).eval()(x, 250_000) is x


def test_drop_path_does_nothing_where_every_path_is_kept() -> None:
    x = torch.rand(8, 2, 2, 2)
    assert DropPath(1.0, 13, 14, 250_000).train()(x, 250_000) is x


def test_drop_path_drops_nothing_at_the_first_step() -> None:
    x = torch.rand(512, 1, 1, 1)
    assert torch.equal(large_drop_path(13)(x, 0), x)
