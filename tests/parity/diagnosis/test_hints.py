"""Each mistake is recognised from what a layer then gives, by small arrays through the real operations."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from parity.candidate.capture import to_nchw, to_nhwc
from parity.diagnosis.hints import Operation, mistake, parameter_hints
from pnasnet_torch import PNASNet
from pnasnet_torch.operations import Add, BatchNorm, Concat, GlobalMean, SameConv2d, SameMaxPool2d, Subsample
from pnasnet_torch.weights import load_tf_variables, tf_variables

Function = Callable[..., Tensor]
Arrays = dict[str, np.ndarray]
EVEN, ODD, WIDE, FLAT = (2, 8, 8, 6), (2, 7, 7, 6), (2, 8, 11, 6), (3, 10)


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-0.5, 1, shape)


@torch.inference_mode()
def told(
    kind: str, official: Function, wrong: Function, *shapes: tuple[int, ...], variables: Arrays | None = None
) -> str:
    """The mistake that is found where the port computes `wrong` on random inputs of these shapes (NHWC)."""
    arrays = tuple(random(*shape, seed=seed) for seed, shape in enumerate(shapes))
    tensors = [to_nchw(array, torch.float64) for array in arrays]
    expected, actual = (to_nhwc(function(*tensors)) for function in (official, wrong))
    return mistake(Operation(kind, arrays, expected, variables or {}), actual)


class Convolution:
    """The official convolution of six channels, dense or depthwise, and its kernel in TensorFlow's layout."""

    def __init__(self, kernel: int, stride: int, depthwise: bool) -> None:
        self.depthwise, self.stride, self.half = depthwise, stride, kernel // 2
        self.official = SameConv2d(6, 6, kernel, stride, groups=6 if depthwise else 1).double()
        self.weight = self.official.weight.detach()

    def wrong(self, function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Function:
        """What it gives on another input, or with another kernel."""

        def compute(x: Tensor) -> Tensor:
            x, weight = function(x, self.weight)
            module = SameConv2d(6, 6, weight.shape[-1], self.stride, groups=self.official.groups).double()
            module.weight = nn.Parameter(weight)
            return module(x)

        return compute

    def padded(self, left: int, right: int, mode: str = "constant", rows: tuple[int, int] | None = None) -> Function:
        """With these pads before and behind, in both directions; the rows may have others."""
        pads = (left, right, *(rows or (left, right)))
        groups = self.official.groups
        return lambda x: F.conv2d(F.pad(x, pads, mode), self.weight, None, self.stride, groups=groups)

    def told(self, wrong: Function, shape: tuple[int, ...]) -> str:
        axes, name = ((2, 3, 0, 1), "depthwise_weights") if self.depthwise else ((2, 3, 1, 0), "weights")
        kind = "DepthwiseConv2dNative" if self.depthwise else "Conv2D"
        return told(kind, self.official, wrong, shape, variables={name: self.weight.permute(axes).numpy()})


# By what is said: the stride, the input's shape, and what is computed instead.
CONVOLUTIONS: dict[str, tuple[int, tuple[int, ...], Callable[[Convolution], Function]]] = {
    "padding of {half} before instead of {less}": (2, EVEN, lambda conv: conv.padded(conv.half, conv.half)),
    "padding of 0 before instead of {half}": (1, ODD, lambda conv: conv.padded(0, 2 * conv.half)),
    "padding of {half} before the rows and {less} before the columns instead of "
    "{less} before the rows and {half} before the columns: rows and columns exchanged": (
        2,
        WIDE,
        lambda conv: conv.padded(conv.half - 1, conv.half + 1, rows=(conv.half, conv.half)),
    ),
    "padding of {less} before the rows and 0 before the columns instead of "
    "{less} before the rows and {half} before the columns": (
        2,
        WIDE,
        lambda conv: conv.padded(0, 2 * conv.half, rows=(conv.half - 1, conv.half)),
    ),
    "padding by reflect": (1, WIDE, lambda conv: conv.padded(conv.half, conv.half, "reflect")),
    "padding by replicate": (1, WIDE, lambda conv: conv.padded(conv.half, conv.half, "replicate")),
    "a ReLU on its input": (2, WIDE, lambda conv: conv.wrong(lambda x, weight: (x.relu(), weight))),
    "its input's channels in reverse": (2, EVEN, lambda conv: conv.wrong(lambda x, weight: (x.flip(1), weight))),
    "kernel transposed: rows and columns exchanged": (1, ODD, lambda conv: conv.wrong(lambda x, w: (x, w.mT))),
    "kernel flipped along rows": (2, EVEN, lambda conv: conv.wrong(lambda x, weight: (x, weight.flip(2)))),
    "kernel flipped along columns": (1, EVEN, lambda conv: conv.wrong(lambda x, weight: (x, weight.flip(3)))),
    "kernel flipped along rows and columns": (2, ODD, lambda conv: conv.wrong(lambda x, w: (x, w.flip(2, 3)))),
}


@pytest.mark.parametrize("depthwise", [False, True], ids=["dense", "depthwise"])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("words", CONVOLUTIONS)
def test_a_wrong_convolution(words: str, kernel: int, depthwise: bool) -> None:
    """PyTorch's own padding (both sides alike, where TensorFlow adds a pixel less before), and what else is common."""
    stride, shape, wrong = CONVOLUTIONS[words]
    conv = Convolution(kernel, stride, depthwise)
    assert conv.told(wrong(conv), shape) == words.format(half=conv.half, less=conv.half - 1)


@pytest.mark.parametrize("kernel", [1, 3])
def test_inputs_and_outputs_of_a_kernel_exchanged(kernel: int) -> None:
    conv = Convolution(kernel, 1, depthwise=False)
    words = "kernel transposed: inputs and outputs exchanged"
    assert conv.told(conv.wrong(lambda x, weight: (x, weight.transpose(0, 1))), ODD) == words


def pooled(x: Tensor, left: int, right: int, value: float = 0.0, average: bool = False) -> Tensor:
    padded = F.pad(x, (left, right, left, right), value=value)
    return F.avg_pool2d(padded, 3, 2) if average else F.max_pool2d(padded, 3, 2)


POOLS: dict[str, Function] = {
    "padded with 0 instead of -inf": lambda x: pooled(x, 0, 1),
    "padding of 1 before instead of 0": lambda x: F.max_pool2d(x, 3, 2, 1),
    "padding of 1 before instead of 0, with 0 instead of -inf": lambda x: pooled(x, 1, 0),
    "the average, padding left out": lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True, count_include_pad=False),
    "the average, padding counted": lambda x: pooled(x, 0, 1, average=True),
}


@pytest.mark.parametrize("words", POOLS)
def test_a_wrong_max_pool(words: str) -> None:
    """On an even map that is halved."""
    assert told("MaxPool", SameMaxPool2d(3, 2), POOLS[words], EVEN) == words


def test_a_max_pool_with_rows_and_columns_exchanged() -> None:
    """Rows get the pixel before that the columns should have."""
    words = (
        "padding of 1 before the rows and 0 before the columns instead of 0 before the rows and 1 before the columns: "
        "rows and columns exchanged"
    )
    official = SameMaxPool2d(3, 2)

    def exchanged(x: Tensor) -> Tensor:
        return F.max_pool2d(F.pad(x, (0, 2, 1, 0), value=-torch.inf), 3, 2)

    assert told("MaxPool", official, exchanged, WIDE) == words


PATHS: dict[str, Function] = {
    "every second pixel from row 0 and column 0": Subsample(0),
    "every second pixel from row 0 and column 1": lambda x: F.pad(x, (0, 1))[:, :, ::2, 1::2],
    "every second pixel from row 1 and column 0": lambda x: F.pad(x, (0, 0, 0, 1))[:, :, 1::2, ::2],
    "the average of 2x2 pixels": lambda x: F.avg_pool2d(x, 2, 2),
}


@pytest.mark.parametrize("words", PATHS)
def test_a_wrong_path_of_a_factorized_reduction(words: str) -> None:
    """The official second path begins with the second pixel, and zeros come behind."""
    assert told("AvgPool", Subsample(1), PATHS[words], EVEN) == words


def test_the_second_path_taken_for_the_first() -> None:
    words = "every second pixel from row 1 and column 1"
    assert told("AvgPool", Subsample(0), Subsample(1), ODD) == words


NORM = {"beta": random(6), "gamma": random(6) + 2, "moving_mean": random(6, seed=2), "moving_variance": random(6) ** 2}


def norm(
    x: Tensor, epsilon: float = 1e-3, training: bool = False, scale: Callable[[Tensor], Tensor] = torch.rsqrt
) -> Tensor:
    """A batch norm with the parameters NORM; `scale` is what becomes of variance + epsilon."""
    beta, gamma, mean, variance = (torch.from_numpy(NORM[name].copy()) for name in sorted(NORM))
    if training:
        return F.batch_norm(x, mean, variance, gamma, beta, training, 0.0, epsilon)
    factor = gamma * scale(variance + epsilon)
    return (x - mean[:, None, None]) * factor[:, None, None] + beta[:, None, None]


NORMS: dict[str, Function] = {
    "epsilon 0": lambda x: norm(x, 0),
    "epsilon 0.01": lambda x: norm(x, 1e-2),
    "epsilon 1e-05": lambda x: norm(x, 1e-5),
    "epsilon added behind the root": lambda x: norm(x, 0, scale=lambda variance: 1 / (variance.sqrt() + 1e-3)),
    "the variance taken for the deviation": lambda x: norm(x, scale=torch.reciprocal),
    "the batch's own mean and variance: training mode": lambda x: norm(x, training=True),
}


@pytest.mark.parametrize("words", NORMS)
@pytest.mark.parametrize("kind", ["FusedBatchNormV3", "AddV2"])
def test_a_wrong_batch_norm(words: str, kind: str) -> None:
    """Whether it is one operation in TensorFlow, or several that end with a sum."""
    official = BatchNorm(6).double().eval()
    for name, tensor in zip(("bias", "weight", "running_mean", "running_var"), sorted(NORM), strict=True):
        getattr(official, name).data = torch.from_numpy(NORM[tensor].copy())
    assert told(kind, official, NORMS[words], EVEN, variables=NORM) == words


def test_of_mistakes_that_are_alike_in_float32_the_nearest_is_told() -> None:
    """Beside a variance of 100, all epsilons up to 0.01 are the same to the roundings that are allowed."""
    wide = {name: np.full(6, value, np.float32) for name, value in zip(sorted(NORM), (0, 1, 0, 100), strict=True)}
    x = random(*EVEN).astype(np.float32)
    expected, actual = (x / np.sqrt(np.float32(100 + epsilon)) for epsilon in (0.1, 1e-2))
    assert mistake(Operation("FusedBatchNormV3", (x,), expected, wide), actual) == "epsilon 0.01"


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("the right branch is missing", lambda left, right: left),
        ("the left branch is missing", lambda left, right: right),
        ("the difference", torch.sub),
        ("the product", torch.mul),
    ],
)
def test_a_wrong_sum(words: str, wrong: Function) -> None:
    assert told("AddV2", Add(), wrong, EVEN, EVEN) == words


def test_parts_concatenated_in_another_order() -> None:
    """Even where they differ in the number of channels."""
    parts = (EVEN, (*EVEN[:3], 4), EVEN)
    words = told("ConcatV2", Concat(), lambda a, b, c: torch.cat((c, a, b), 1), *parts)
    assert words == "its parts in the order 2, 0, 1"


@pytest.mark.parametrize(
    ("kind", "official", "words", "wrong", "shape"),
    [
        ("Mean", GlobalMean(), "the sum", lambda x: x.sum(dim=(2, 3)), EVEN),
        ("Mean", GlobalMean(), "the largest", lambda x: x.amax(dim=(2, 3)), EVEN),
        ("Mean", GlobalMean(), "the mean over the batch too", lambda x: x.mean((0, 2, 3)).expand(2, -1), EVEN),
        ("Softmax", nn.Softmax(1), "its logarithm", nn.LogSoftmax(1), FLAT),
        ("Softmax", nn.Softmax(1), "each class by itself: a sigmoid", torch.sigmoid, FLAT),
        ("Softmax", nn.Softmax(1), "its input", lambda x: x, FLAT),
        ("Relu", nn.ReLU(), "its input: a missing ReLU", lambda x: x, EVEN),
        ("MaxPool", SameMaxPool2d(3, 1), "its input", lambda x: x, EVEN),
    ],
)
def test_a_wrong_operation(kind: str, official: Function, words: str, wrong: Function, shape: tuple[int, ...]) -> None:
    assert told(kind, official, wrong, shape) == words


@pytest.mark.parametrize(
    ("kind", "official", "shapes"),
    [
        ("MaxPool", SameMaxPool2d(3, 2), [EVEN]),
        ("AvgPool", Subsample(1), [ODD]),
        ("ConcatV2", Concat(), [EVEN, EVEN]),
        ("Mean", GlobalMean(), [EVEN]),
        ("Softmax", nn.Softmax(1), [FLAT]),
        ("Relu", nn.ReLU(), [EVEN]),
        ("AddV2", Add(), [EVEN, EVEN]),
        ("NoSuchKind", nn.ReLU(), [EVEN]),
    ],
)
def test_what_is_right_or_like_nothing_is_no_mistake(kind: str, official: Function, shapes: list[tuple[int]]) -> None:
    """What the official operation gives, twice that, another shape, and what is not finite."""
    wrongs: list[Function] = [lambda x: 2.5 * x + 1, lambda x: x[:1], lambda x: x / 0]
    for wrong in (lambda x: x, *wrongs):
        assert told(kind, official, lambda *tensors, wrong=wrong: wrong(official(*tensors)), *shapes) == ""


@pytest.fixture
def filled(tiny: PNASNet) -> Arrays:
    """The official variables, each with random values, that the tiny port is filled with."""
    variables = {name: random(*array.shape, seed=seed) for seed, (name, array) in enumerate(tf_variables(tiny).items())}
    load_tf_variables(tiny, variables)
    return variables


DEPTHWISE = "cell_0.comb_iter_0.left.separable_5x5_1.depthwise"
CONV, BN = "cell_1.1x1", "cell_1.beginning_bn"


def changed(model: PNASNet, layer: str, name: str, change: Callable[[Tensor], Tensor]) -> None:
    tensor = model.get_submodule(layer).get_parameter(name).data
    tensor.copy_(change(tensor.clone()))


def one_wrong(weight: Tensor) -> Tensor:
    weight[1, 2] += 1
    return weight


def test_parameters_that_are_the_official_ones_give_no_hint(tiny: PNASNet, filled: Arrays) -> None:
    """Converted to the port's dtype; nor do layers without parameters."""
    for layer in (DEPTHWISE, CONV, BN, "final_layer.FC", "cell_1.relu"):
        assert parameter_hints(tiny, layer, filled) == []


@pytest.mark.parametrize(
    ("layer", "change", "words"),
    [
        (DEPTHWISE, lambda w: w.transpose(2, 3), "depthwise_weights: transposed: rows and columns exchanged"),
        (DEPTHWISE, lambda w: w.flip(2, 3), "depthwise_weights: flipped along rows and columns"),
        (CONV, lambda w: w.roll(1, 1), "weights: inputs permuted: 0 has the values of"),
        (CONV, one_wrong, "weights: 1 of "),
        (CONV, lambda w: w.half().float(), "weights: rounded to float16"),
        (CONV, lambda w: torch.zeros_like(w), "weights: all zero"),
        (CONV, lambda w: torch.rand_like(w), "weights: 640 of 640 values differ, such as ["),
        (BN, lambda w: w.flip(0), "gamma: flipped along channels"),
    ],
)
def test_a_wrong_parameter(
    tiny: PNASNet, filled: Arrays, layer: str, change: Callable[[Tensor], Tensor], words: str
) -> None:
    """The variable is named, and what became of its values."""
    changed(tiny, layer, "weight", change)
    (hint,) = parameter_hints(tiny, layer, filled)
    assert hint.startswith(f"{layer.removesuffix('.depthwise').replace('.', '/')}/{words}")


def test_parameters_exchanged_within_a_layer(tiny: PNASNet, filled: Arrays) -> None:
    """Each is told by the variable that it has the values of."""
    module = tiny.get_submodule(BN)
    module.weight, module.bias = module.bias, module.weight
    scope = BN.replace(".", "/")
    assert sorted(parameter_hints(tiny, BN, filled)) == [
        f"{scope}/beta: the values of {scope}/gamma",
        f"{scope}/gamma: the values of {scope}/beta",
    ]


def test_the_values_of_another_layer(tiny: PNASNet, filled: Arrays) -> None:
    other = tiny.get_submodule("cell_1.comb_iter_0.left.bn_sep_5x5_1").running_mean
    tiny.get_submodule(BN).running_mean = other
    (hint,) = parameter_hints(tiny, BN, filled)
    assert hint == "cell_1/beginning_bn/moving_mean: the values of cell_1/comb_iter_0/left/bn_sep_5x5_1/moving_mean"


def test_every_wrong_parameter_of_a_layer_is_named(tiny: PNASNet, filled: Arrays) -> None:
    for name in ("weight", "bias"):
        changed(tiny, "final_layer.FC", name, lambda tensor: -tensor)
    assert parameter_hints(tiny, "final_layer.FC", filled) == [
        "final_layer/FC/weights: the negative of it",
        "final_layer/FC/biases: the negative of it",
    ]
    assert parameter_hints(tiny, CONV, filled) == []
