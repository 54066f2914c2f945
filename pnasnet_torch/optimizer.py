"""slim's optimiser for this network: RMSProp as TensorFlow has it, clipping by the global norm, averaged weights."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# research/slim/train_image_classifier.py, with what is published for this network.
DECAY, MOMENTUM, EPSILON = 0.9, 0.9, 1.0
CLIP_NORM = 10.0
AVERAGE_DECAY = 0.9999


class RMSProp(torch.optim.Optimizer):
    """`tf.train.RMSPropOptimizer`, which differs from PyTorch's own in three ways.

    Epsilon stands inside the root, mean squares begin at 1, and the learning rate is inside the momentum. PyTorch's own
    has epsilon outside, begins at 0, and multiplies by the learning rate last.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        decay: float = DECAY,
        momentum: float = MOMENTUM,
        epsilon: float = EPSILON,
    ) -> None:
        # TensorFlow holds the constants in float32, whatever dtype the network has.
        defaults = {
            "lr": lr,
            "decay": float(np.float32(decay)),
            "momentum": float(np.float32(momentum)),
            "epsilon": float(np.float32(epsilon)),
        }
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, once, and return what `closure`, if any, returns."""
        loss = None
        if closure:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: Mapping[str, Any]) -> None:
        """Update one parameter in place, and its slots `mean_square` and `momentum`."""
        state = self.state[parameter]
        if not state:
            state["mean_square"] = torch.ones_like(parameter)
            state["momentum"] = torch.zeros_like(parameter)
        mean_square = state["mean_square"]
        momentum = state["momentum"]
        mean_square.add_(gradient.square().sub_(mean_square), alpha=1 - group["decay"])
        # The learning rate of each step stays in the momentum, also once the schedule has lowered it.
        momentum.mul_(group["momentum"]).add_(gradient * (mean_square + group["epsilon"]).rsqrt_(), alpha=group["lr"])
        parameter.sub_(momentum)


def clip_by_global_norm(parameters: Iterable[nn.Parameter], limit: float = CLIP_NORM) -> Tensor:
    """Scale all gradients so that their common norm is `limit` at the most, and return the norm that they had.

    As `tf.clip_by_global_norm`; PyTorch's own adds 1e-6 to the norm.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norms = [torch.linalg.vector_norm(gradient) for gradient in gradients]
    norm = torch.linalg.vector_norm(torch.stack(norms))
    # In TensorFlow's form: where the norm is below the limit, this is limit * (1 / limit).
    scale = limit * torch.minimum(1 / norm, norm.new_tensor(1 / limit))
    for gradient in gradients:
        gradient.mul_(scale)
    return norm


class Averages:
    """`tf.train.ExponentialMovingAverage` of a network's parameters and statistics, for evaluation: by their names.

    At `step` n the average keeps min(decay, (1 + n) / (10 + n)) of itself, so that it forgets its beginning soon.
    """

    def __init__(self, model: nn.Module, decay: float = AVERAGE_DECAY) -> None:
        self.decay = decay
        self.values = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def update(self, model: nn.Module, step: int) -> None:
        """Take in the model as it is behind the update at `step`, counted from 0."""
        # As in TensorFlow, in float32.
        early_weight = np.float32(1 + step) / np.float32(10 + step)
        old_weight = min(np.float32(self.decay), early_weight)
        new_weight = float(np.float32(1) - old_weight)
        for name, tensor in model.state_dict().items():
            self.values[name].sub_((self.values[name] - tensor.detach()).mul_(new_weight))


def learning_rate(step: int, first: float, decay_steps: int, factor: float = 0.94) -> float:
    """Return the learning rate at `step` of slim's default schedule.

    It is `first`, and from each `decay_steps` on `factor` times as much.
    """
    return first * factor ** (step // decay_steps)
