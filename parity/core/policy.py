"""The gates, and what each allows, as frozen data. How the constants were calibrated: docs/calibration.md."""

from dataclasses import dataclass

import numpy as np

# The largest relative error of rounding to float32, 2^-24: half the distance between two neighbours.
UNIT = float(np.finfo(np.float32).eps) / 2
# The input first, then the network, judged by the strongest gate first.
STRUCTURE = "structure"
GATES = ("preprocess", STRUCTURE, "exact-float32", "exact-float64", "float64", "float32", "imagenet")

# Of training (--training): the layers, the moving statistics, the parts of the loss, the gradients at each layer and
# variable, of the integer network and of this one, and whole steps: each variable, and what the optimiser keeps of it.
TRAINING_GATES = (
    "training",
    "training-float32",
    "statistics",
    "loss",
    "exact-gradient",
    "gradient",
    "gradient-float32",
    "step",
)


@dataclass(frozen=True)
class Float64Policy:
    """The distance from the official values that the float64 gate allows.

    `relative_l2` is for the layer as a whole, relative to the L2 norm of the official values, and `relative_largest`
    for any single element, relative to the layer's largest official value.
    """

    # Two right implementations differ by 1e-14 at the logits of Large, and a fault in the fifth digit of one weight
    # makes more than this: the bound lies between, with room on both sides.
    relative_l2: float = 1e-10
    relative_largest: float = 1e-9
    # A layer that passes with more than this share of what is allowed hands on what fails before it: over all default
    # networks no sound layer takes more than 0.003 of it.
    handed_on: float = 0.03


@dataclass(frozen=True)
class Float32Policy:
    """The distance from the float64 truth that the float32 gate allows, as a multiple of TensorFlow's own.

    The multiple is `layer` for the L2 distance of the whole layer, `largest` for its largest element, and `channel` for
    the L2 distance of each channel that has `channel_values` values or more. A channel may also be as far off as
    TensorFlow's channels are on average. Where few values carry TensorFlow's distance, `chance` raises the multiple
    (see `factor`). To each distance comes a floor (see `floor_for`) times the truth's own norm, a channel's share of
    it, or the truth's largest element.
    """

    # A ratio, and no fixed tolerance: rounding grows with depth, to 1e-4 at the last cell, though nothing is wrong. A
    # right port lies at 0.92 to 1.00 times TensorFlow's own distance; of 5,472 layers that over 10,000 effective values
    # carry, the worst was at 1.14. 1.25 is what chance explains.
    layer: float = 1.25
    # Fewer values leave more to chance: channels that 100 to 300 values carry were at 1.61 times at the worst.
    channel: float = 2.0
    # Channels of fewer values are not judged by themselves: their distance is a matter of chance.
    channel_values: int = 100
    # One element alone is left to chance as well: over 10,000 effective values, 1.60 times at the worst.
    largest: float = 2.0
    # The logarithm of a channel's ratio, times the root of its effective number of values, was 8.2 at the worst of 2.8
    # million channels, and below 6.4 but for that one.
    chance: float = 12.0
    # In units of rounding: where TensorFlow is exact by chance (a ReLU that cuts the noise), the candidate may round.
    # Maps of 100 pixels or more needed 0.4 units beyond the factors at the most.
    floor: float = 8 * UNIT
    # On maps of fewer pixels than `channel_values` kernels differ more: on 2x2 pixels PyTorch's 1x1 convolution of
    # 4,320 channels is off by 14.4 units where TensorFlow's is by 4.1, which comes to 32.5 units over the depth of the
    # network. It is no hiding place: values that pass through float16 are off by 4,096 units.
    floor_of_small_maps: float = 64 * UNIT

    def factor(self, plain: float, effective: np.ndarray | float) -> np.ndarray:
        """Return the multiple of TensorFlow's distance that is allowed where `effective` values carry that distance.

        It is `plain`, or exp(chance / sqrt(effective)) where that is more: for fewer than 2,900 values (layer) or 300
        (channel, largest element).
        """
        # Where few values carry them, the ratio of two sound distances is a matter of chance, and the logarithm of the
        # worst ratios falls with the root of the number of values. That number is of TensorFlow's own differences, so
        # a faulty candidate cannot loosen its bound.
        return np.maximum(plain, np.exp(self.chance / np.sqrt(effective)))

    def floor_for(self, pixels: int, sums: int) -> float:
        """Return the floor, relative to the truth's size, for maps of `pixels` whose values add up `sums` products."""
        floor = self.floor if pixels >= self.channel_values else self.floor_of_small_maps
        # A sum of many products, in whatever order its kernel has, may round at each of them: a random walk of n
        # roundings ends some sqrt(n) of them away. A gradient of Large's first convolution adds up 54,450.
        return max(floor, UNIT * float(np.sqrt(sums)))


@dataclass(frozen=True)
class ImagenetPolicy:
    """The distance between both sides' logits on an image that the evaluation allows.

    `logits` is a multiple of TensorFlow's own largest float32 distance from its float64 logits, measured on a sample of
    the images. A flip is excused where TensorFlow's margin is below twice the allowed distance.
    """

    # One side's error and the other's add up, the candidate's may be twice TensorFlow's (as in the float32 gate), and a
    # sample misses the largest. The largest distance that was measured is 1.86 times TensorFlow's.
    logits: float = 4.0


FLOAT64 = Float64Policy()
# A gradient went through the network twice, and gets ten times the bounds. The nearest to its bound was at 0.018 of it.
GRADIENT_FLOAT64 = Float64Policy(relative_l2=1e-9, relative_largest=1e-8)
FLOAT32 = Float32Policy()
IMAGENET = ImagenetPolicy()
