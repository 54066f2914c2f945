"""What a close look at failing layers starts from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from parity.core.layers import Network
from parity.gates.context import Sides


@dataclass(frozen=True)
class Probe:
    """Both networks with weights loaded, as `gate` runs them on these `images` (N, H, W, 3).

    `variables` are the weights, in TensorFlow's names and layouts. `single` is the same in float32 beside float64, to
    replay the culprits there too.
    """

    network: Network
    gate: str
    sides: Sides
    images: np.ndarray
    variables: Mapping[str, np.ndarray]
    single: Sides | None = None
