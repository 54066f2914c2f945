"""What each gate allows, as frozen data. How the constants were calibrated: docs/calibration.md."""

from dataclasses import dataclass

import numpy as np

# The largest relative error of rounding to float32.
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
    """Allowed distance from the official values: of the layer as relative L2, and of any element relative to the
    layer's largest."""

    relative_l2: float = 1e-10
    relative_largest: float = 1e-9
    # A layer that passes with more than this share of what is allowed hands on what fails before it: over all default
    # networks no sound layer takes more than 0.003 of it.
    handed_on: float = 0.03


@dataclass(frozen=True)
class Float32Policy:
    """Allowed distance from the float64 truth, as a multiple of TensorFlow's own float32 distance from it.

    Of the layer as L2, of the largest element, and, where channels have `channel_values` or more, of each channel as
    L2. Where few values carry TensorFlow's distance, its size is a matter of chance: then up to exp(chance /
    sqrt(effective number of values)) times is allowed, which for more than 2,900 values (layer) or 300 (channel) is
    less than the plain factor. A channel may also be as far off as TensorFlow's channels are on average: one in which
    a ReLU left a single value, and TensorFlow not even that, is measured by its neighbours. To each comes `floor`
    times the truth's own norm, a channel's share of it, or its largest element: where TensorFlow is exact by chance (a
    ReLU that cuts the noise), the port may round. `floor_of_small_maps` takes its place for maps of fewer than
    `channel_values` pixels, where kernels differ more. What adds up many products, in whatever order its kernel has,
    may round at each as a random walk does: by the root of their number.
    """

    layer: float = 1.25
    channel: float = 2.0
    channel_values: int = 100
    largest: float = 2.0
    chance: float = 12.0
    floor: float = 8 * UNIT
    floor_of_small_maps: float = 64 * UNIT

    def factor(self, plain: float, effective: np.ndarray | float) -> np.ndarray:
        """`plain`, or what chance allows with so few effective values."""
        return np.maximum(plain, np.exp(self.chance / np.sqrt(effective)))

    def floor_for(self, pixels: int, sums: int = 1) -> float:
        """The floor for maps of so many pixels, each of which adds up so many products."""
        floor = self.floor if pixels >= self.channel_values else self.floor_of_small_maps
        return max(floor, UNIT * float(np.sqrt(sums)))


@dataclass(frozen=True)
class ImagenetPolicy:
    """How far the two sides' logits may differ on an image, as a multiple of TensorFlow's own largest float32 distance
    from its float64 logits, measured on a sample of the images; a flip is excused where TensorFlow's margin is below
    twice that."""

    logits: float = 4.0


FLOAT64 = Float64Policy()
# A gradient went through the network twice.
GRADIENT_FLOAT64 = Float64Policy(relative_l2=1e-9, relative_largest=1e-8)
FLOAT32 = Float32Policy()
IMAGENET = ImagenetPolicy()
