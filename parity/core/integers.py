"""The integer network: weights and images for which neither framework rounds anywhere, so both must agree bit for bit.

Kernels are sparse with values -1, 0 and 1; a batch norm has integers for beta and mean, a power of 4 for variance +
epsilon, and its root or minus that for gamma. So it multiplies by exactly 1 or -1, and nothing is rounded in whatever
order a candidate computes it: as one scale, folded into a kernel, or compiled. Every value is an integer, and exact as
long as it fits the format: 24 bits in float32, 53 in float64. What limits the density is growth with depth. Kernels
with as many +1 as -1 grow least: they take differences, which also keeps channels from dying in the ReLUs.

The mean over the map is no integer, but one correctly rounded quotient of integers on both sides. A last layer that
takes one such value for each class, times a large power of two, rounds only when it adds the bias; it takes more where
the map's area is a power of two. The power is so large that two logits are equal or, even if they differ by one unit of
rounding of float64 alone, so far apart that every softmax value is exactly 0 or a unit fraction.
"""

import hashlib
import math
import zlib
from collections.abc import Iterator, Mapping

import numpy as np

from tf_reference.unit_scale import EPSILON

# How many values of each kernel are other than zero: of a depthwise convolution, and of any other one at the least.
Density = tuple[int, int]
# The pairs that stay exact, the densest first, each with the largest area (pixels) of the last map, over which the mean
# sums. Large at 331 (area 121) reaches 2^21.9 of 2^24 in float32, 2^51.5 of 2^53 in float64: there is no room for the
# next denser pair.
DENSITY: dict[str, tuple[tuple[float, Density], ...]] = {
    "float32": ((400, (2, 1)), (math.inf, (1, 1))),
    "float64": ((200, (4, 2)), (math.inf, (2, 2))),
}
# A power of two multiplies without rounding. With this one the least difference of two logits in float64 is 2^18, and
# exp(-2^18) is 0: the exponential of a difference of 1 would not be rounded alike everywhere.
LOGITS_SCALE = 2.0**70
# What integers are drawn from: pixels, means and the biases of the logits from minus this to this, betas from the first
# to the second, apart from the first batch norm's.
IMAGE_RANGE = 2
MEAN = 1
BIAS = 3
BETA = (1, 2)
# The batch norm behind the first convolution, which pools read without an activation between, and its other beta.
FIRST_NORM, FIRST_BETA = "conv0_bn", -2
# Powers of 4 from which float32 and float64 can take epsilon, and add it again without rounding.
POWERS_OF_4 = tuple(4.0**exponent for exponent in range(-4, 8))
# Two images in one batch show what mixes them; float64 takes twice the memory, and one will do.
BATCH = {"float32": 2, "float64": 1}
# Values that are hashed at a time: up to half a megabyte, which stays in the processor's cache.
CHUNK = 2**16


def exact_images(height: int, width: int, dtype: str, seed: int) -> np.ndarray:
    """Return random integers (N, H, W, 3): noise, so that no shift, flip or exchange leaves an image as it was."""
    rng = np.random.default_rng((seed, height, width))
    shape_nhwc = (BATCH[dtype], height, width, 3)
    return rng.integers(-IMAGE_RANGE, IMAGE_RANGE, shape_nhwc, endpoint=True).astype(dtype)


class ExactVariables(Mapping[str, np.ndarray]):
    """Weights of the integer network by TensorFlow name, exact in `dtype`. Each is made when it is asked for.

    `shapes` are those of the variables, and `map_area` is the number of pixels that the last mean is over. Kernels have
    the `density` given, or the highest that stays exact in a forward.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: str,
        map_area: int,
        seed: int,
        density: Density | None = None,
    ) -> None:
        if density is None:
            exact_densities = [pair for largest_area, pair in DENSITY[dtype] if map_area <= largest_area]
            density = exact_densities[0]
        self._shapes = shapes
        self._dtype = dtype
        self._map_area = map_area
        self._seed = seed
        self._density = density

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, name: str) -> np.ndarray:
        scope, _, last = name.rpartition("/")
        match last:
            case "gamma":
                signs, powers = self._scales(scope)
                values = signs * np.sqrt(powers)
            case "moving_variance":
                _signs, powers = self._scales(scope)
                # In the network's own format, so that adding epsilon there gives the power again.
                values = powers.astype(self._dtype) - np.dtype(self._dtype).type(EPSILON)
            case "beta":
                values, _means = self._offsets(scope)
            case "moving_mean":
                _betas, values = self._offsets(scope)
            case _:
                values = self._drawn(name)
        # Kernels stay float32, which holds their integers in half the memory; whoever runs them converts.
        return values.astype(self._dtype) if values.ndim <= 1 else values

    def _scales(self, scope: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the signs of a batch norm's gamma, and powers of 4, both (channels,).

        In each channel gamma is the root of variance + epsilon, so that every step of a batch norm is exact, in
        whatever order a candidate multiplies.
        """
        rng = _generator(scope, self._seed)
        shape = self._shapes[f"{scope}/gamma"]
        return rng.choice([-1, 1], shape), rng.choice(POWERS_OF_4, shape)

    def _offsets(self, scope: str) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch norm's beta and mean, both (channels,): together they add 1 or more."""
        betas, means = self._drawn(f"{scope}/beta"), self._drawn(f"{scope}/moving_mean")
        signs, _powers = self._scales(scope)
        if scope == FIRST_NORM:
            # In every second channel -1, so that here and there all values of a window are negative: a ReLU around the
            # pools behind it would change nothing else.
            betas[::2], means[::2] = FIRST_BETA, -signs[::2]
        # Variance + epsilon is no power of 4 where a candidate takes it in float64 to fold a float32 network, and its
        # scale is off by 1e-8. That is rounded away, unless beta and mean would leave 0.
        return betas, np.where(betas == signs * means, 0, means)

    def _drawn(self, name: str) -> np.ndarray:
        """Return the values of a variable that is drawn by itself."""
        return _values(name, self._shapes[name], self._density, self._map_area, self._seed)


def _generator(name: str, seed: int) -> np.random.Generator:
    """Return the random numbers of a name: a stream for each, so that the order of the variables does not matter."""
    # By a checksum, since Python's own hash of a text is another one in every process.
    return np.random.default_rng((seed, zlib.crc32(name.encode())))


def _values(name: str, shape: tuple[int, ...], density: Density, map_area: int, seed: int) -> np.ndarray:
    """Return the values of the variable `name`, which is not one of a batch norm's scale."""
    rng = _generator(name, seed)
    depthwise, other = density
    match name.rpartition("/")[2]:
        case "beta":
            return rng.integers(*BETA, shape, endpoint=True)
        case "moving_mean":
            return rng.integers(-MEAN, MEAN, shape, endpoint=True)
        case "biases":
            return rng.integers(-BIAS, BIAS, shape, endpoint=True) * LOGITS_SCALE
        case "depthwise_weights":
            # (height, width, channels, 1): the inputs of a channel's kernel are its positions.
            rows, columns, channels, _ = shape
            return _kernels(rng, rows * columns, channels, depthwise).reshape(shape)
        case "weights" if len(shape) == 2:
            # Its inputs are means, which are rounded unless the map's area is a power of two: only then may a logit add
            # up several of them, and so reach every one.
            inputs, classes = shape
            covers_all = map_area.bit_count() == 1
            return _kernels(rng, inputs, classes, 1, covers_all) * LOGITS_SCALE
        case _:
            inputs = int(np.prod(shape[:-1]))
            return _kernels(rng, inputs, shape[-1], other).reshape(shape)


def _kernels(rng: np.random.Generator, inputs: int, outputs: int, density: int, covers_all: bool = True) -> np.ndarray:
    """Return kernels (inputs, outputs) of -1, 0 and 1, float32.

    Each column has the same number of values other than zero, `density` at the least. With `covers_all` there are so
    many that together they reach every input.
    """
    count = density
    if covers_all:
        count = max(density, math.ceil(inputs / outputs))
    if count > 1 and count % 2:
        # As many +1 as -1: such kernels take differences, and grow least.
        count += 1
    # The columns deal out the inputs, in random order and from the first again when they are used up.
    columns = np.arange(outputs)[:, None]
    dealt = (columns * count + np.arange(count)) % inputs
    rows = rng.permutation(inputs)[dealt]
    alternating = np.resize([1, -1], count)
    signs = rng.permuted(np.tile(alternating, (outputs, 1)), axis=1)
    kernels = np.zeros((inputs, outputs), np.float32)
    # Where there is one value alone, its sign would else be +1 in every column.
    kernels[rows, columns] = signs * rng.choice([-1, 1], (outputs, 1))
    return kernels


def digest(array: np.ndarray) -> str:
    """Return the SHA-256 of a layer's dtype, shape and values; -0.0 counts as 0.0."""
    # Values of another dtype or shape may be the same bytes.
    header = f"{array.dtype} {array.shape} "
    sha256 = hashlib.sha256(header.encode())
    flat = np.ascontiguousarray(array).reshape(-1)
    for start in range(0, flat.size, CHUNK):
        # Adding 0.0 turns -0.0 into 0.0, and copies; in chunks the copy is small.
        chunk = flat[start : start + CHUNK] + 0.0
        sha256.update(chunk.data)
    return sha256.hexdigest()


def map_area(shape_nhwc: tuple[int | None, ...]) -> int:
    """Return how many pixels a map (N, H, W, C) has; 0 where its size is not known."""
    _, height, width, _ = shape_nhwc
    return (height or 0) * (width or 0)
