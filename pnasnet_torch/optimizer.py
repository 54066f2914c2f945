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
    """`tf.train.RMSPropOptimizer`: epsilon inside the root, mean squares that begin at 1, and the learning rate inside
    the momentum. PyTorch's own has epsilon outside, begins at 0, and multiplies by the learning rate last."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        decay: float = DECAY,
        momentum: float = MOMENTUM,
        epsilon: float = EPSILON,
    ) -> None:
        # TensorFlow holds them in float32, whatever dtype the network has.
        constants = {"decay": decay, "momentum": momentum, "epsilon": epsilon}
        super().__init__(parameters, {"lr": lr} | {name: float(np.float32(value)) for name, value in constants.items()})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every parameter that has a gradient; what `closure`, if any, returns."""
        with torch.enable_grad():
            loss = closure() if closure else None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: Mapping[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["mean_square"], state["momentum"] = torch.ones_like(parameter), torch.zeros_like(parameter)
        mean_square, momentum = state["mean_square"], state["momentum"]
        mean_square.add_(gradient.square().sub_(mean_square), alpha=1 - group["decay"])
        momentum.mul_(group["momentum"]).add_(gradient * (mean_square + group["epsilon"]).rsqrt_(), alpha=group["lr"])
        parameter.sub_(momentum)


def clip_by_global_norm(parameters: Iterable[nn.Parameter], limit: float = CLIP_NORM) -> Tensor:
    """`tf.clip_by_global_norm`: scales all gradients so that their common norm is `limit` at the most, and returns the
    norm that they had. PyTorch's own adds 1e-6 to the norm."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]))
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
        """Takes in the model as it is behind the update at `step`, counted from 0."""
        # As in TensorFlow, in float32.
        kept = min(np.float32(self.decay), np.float32(1 + step) / np.float32(10 + step))
        new = float(np.float32(1) - kept)
        for name, tensor in model.state_dict().items():
            self.values[name].sub_((self.values[name] - tensor.detach()).mul_(new))


def learning_rate(step: int, first: float, decay_steps: int, factor: float = 0.94) -> float:
    """slim's default schedule: `first`, and from each `decay_steps` on `factor` times as much."""
    return first * factor ** (step // decay_steps)
