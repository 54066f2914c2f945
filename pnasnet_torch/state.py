"""Tensors by name as a file holds them, without a word yet on what they are of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class State:
    """What is stored by name in one place: arrays of numbers, and of all others what they are, such as `bfloat16`."""

    arrays: Arrays
    others: Mapping[str, str] = field(default_factory=dict)


# By the keys that lead to each, joined by dots: "" in a file of nothing else, "state_dict" or "model.ema" in others.
States = dict[str, State]
