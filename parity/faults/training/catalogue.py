"""Faults of training, planted in the port one at a time: which gate fails first, and what it names."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from parity.layers import WHOLE
from parity.training.names import FORWARD, GRADIENT, LOSS, STEP
from pnasnet_torch import PNASNet
from pnasnet_torch.operations import BatchNorm, Dropout, DropPath
from pnasnet_torch.optimizer import Averages, RMSProp

Plant = Callable[[PNASNet], object]
Around = Callable[[], AbstractContextManager[object]]

COMBINATION = "cell_3.comb_iter_2"
BRANCH = f"{COMBINATION}.left"
NORM = f"{BRANCH}.bn_sep_5x5_1"
# It adds the one operation that drop path spares, `none`, on its right.
WITH_NONE = "cell_3.comb_iter_4"
STATISTICS = tuple(f"{NORM.replace('.', '/')}/{name}" for name in ("moving_mean", "moving_variance"))
TOTAL = "total"


@dataclass(frozen=True)
class TrainingFault:
    """`plant` changes the port, `around` what it is trained with. The first gate that fails is `gate`, which names
    exactly `at`; of whole steps, where a fault reaches every variable, exactly these kinds of what is kept."""

    name: str
    gate: str
    at: tuple[str, ...]
    plant: Plant = lambda _model: None
    around: Around = nullcontext


def _made(place: str, change: Callable[[Any], object]) -> Plant:
    """Does something to the module at a place."""
    return lambda model: change(model.get_submodule(place))


def _set(**values: object) -> Callable[[Any], object]:
    def change(module: nn.Module) -> None:
        for name, value in values.items():
            setattr(module, name, value)

    return change


def _as(kind: type[nn.Module]) -> Callable[[Any], object]:
    return _set(__class__=kind)


def _patched(place: str, value: object) -> Around:
    return lambda: mock.patch(place, value)


class _Unscaled(DropPath):
    """Does not make up for what is dropped."""

    def forward(self, x: Tensor, step: int | Tensor | None = None) -> Tensor:
        return super().forward(x, step) * self.keep_prob(step).to(x.dtype)


class _AlwaysScheduled(DropPath):
    """At the end of its schedule from the beginning."""

    def keep_prob(self, step: int | Tensor | None, device: torch.device | None = None) -> Tensor:
        return super().keep_prob(None, device)


class _Confused(Dropout):
    """Drops what it should keep."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(self.uniform(x.shape, x.dtype, x.device) < 1 - self.keep_prob, x / self.keep_prob, 0.0)


class _Unscaled2d(Dropout):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.keep_prob


class _Constant(BatchNorm):
    """Takes the batch's mean and variance for constants in the backward."""

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = x.detach().mean((0, 2, 3)), x.detach().var((0, 2, 3), correction=0)
        return F.batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)


class _Unbiased(BatchNorm):
    """Normalises by the variance with Bessel's correction."""

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, (0, 2, 3))
        return F.batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)


class _InPlace(nn.ReLU):
    """Overwrites its input, as nn.ReLU(inplace=True), but so that the backward does not notice."""

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(x)
        x.data.copy_(y.data)
        return y


class _Pytorchs(torch.optim.RMSprop):
    """With slim's constants: epsilon outside the root, and mean squares that begin at 0."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, lr, alpha=0.9, eps=1.0, momentum=0.9)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        super().step(closure)
        for state in self.state.values():
            state["mean_square"], state["momentum"] = state["square_avg"], state["momentum_buffer"]


def _drop_none(model: PNASNet) -> None:
    combination = model.get_submodule(WITH_NONE)
    drop_path = combination.get_submodule("drop_path")
    assert isinstance(drop_path, nn.ModuleDict)
    made = DropPath(0.6, 5, 11, 250_000)
    made.draws = torch.zeros(2, 1, 1, 1)
    drop_path["right"] = made


def _neighbours_schedule(model: PNASNet) -> None:
    for side in ("left", "right"):
        other = model.get_submodule(f"cell_4.comb_iter_2.drop_path.{side}")
        model.get_submodule(f"{COMBINATION}.drop_path.{side}").final_keep_prob = other.final_keep_prob


def _stopped(module: nn.Module) -> None:
    module.register_forward_hook(lambda _module, _inputs, output: output.detach() + 0 * output)


def _other_aux_input(model: PNASNet) -> None:
    """The auxiliary head behind a cell of the same width."""
    taken: list[Tensor] = []
    model.get_submodule("cell_4").register_forward_hook(lambda _module, _inputs, output: taken.append(output))
    original = model._aux_logits
    model.__dict__["_aux_logits"] = lambda _net: original(taken.pop())


@contextmanager
def _everything_regularized() -> Iterator[None]:
    def regularized(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
        return ((name, parameter) for name, parameter in model.named_parameters() if name.endswith("weight"))

    with ExitStack() as stack:
        for place in ("pnasnet_torch.training.regularized", "parity.training.port.regularized"):
            stack.enter_context(mock.patch(place, regularized))
        yield


def _without_background(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    return CROSS_ENTROPY(logits, labels - 1, label_smoothing=label_smoothing)


def _smoothed_over_1000(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    """The background gets none of it."""
    truth = F.one_hot(labels, logits.shape[1]) * (1 - label_smoothing)
    truth[:, 1:] += label_smoothing / (logits.shape[1] - 1)
    return -(truth * logits.log_softmax(1)).sum(1).mean()


CROSS_ENTROPY = F.cross_entropy
CROSS_ENTROPIES = ("cross_entropy", "auxiliary", TOTAL)
# Other weights in the second step: another forward.
EVERYTHING = (
    *("average", "beta", "biases", "depthwise_weights", "gamma", "momentum"),
    *("moving_mean", "moving_variance", "pointwise_weights", "rms", "weights"),
)
OPTIMIZER = "parity.training.port.RMSProp"
TRAINING_FAULTS = (
    TrainingFault("momentum 0.9997 taken as PyTorch's", STEP, STATISTICS, _made(NORM, _set(momentum=0.9997))),
    TrainingFault("momentum left at PyTorch's 0.1", STEP, STATISTICS, _made(NORM, _set(momentum=0.1))),
    TrainingFault("variance with Bessel's correction", FORWARD, (NORM,), _made(NORM, _as(_Unbiased))),
    TrainingFault("epsilon left at 1e-5", FORWARD, (NORM,), _made(NORM, _set(eps=1e-5))),
    TrainingFault("batch norm frozen", FORWARD, (NORM,), _made(NORM, lambda norm: norm.eval())),
    TrainingFault(
        "batch statistics are constants in the backward",
        GRADIENT,
        (f"{BRANCH}.separable_5x5_1.pointwise",),
        _made(NORM, _as(_Constant)),
    ),
    TrainingFault("drop path on 'none'", FORWARD, (f"{WITH_NONE}.combine.add",), _drop_none),
    TrainingFault(
        "drop path not scaled",
        FORWARD,
        (f"{COMBINATION}.combine.add",),
        _made(f"{COMBINATION}.drop_path.left", _as(_Unscaled)),
    ),
    TrainingFault("schedule off by a cell", FORWARD, (f"{COMBINATION}.combine.add",), _neighbours_schedule),
    TrainingFault(
        "schedule without the training step",
        FORWARD,
        (f"{COMBINATION}.combine.add",),
        _made(f"{COMBINATION}.drop_path.left", _as(_AlwaysScheduled)),
    ),
    TrainingFault(
        "dropout keeps what it should drop", FORWARD, ("final_layer.FC",), _made("final_layer.dropout", _as(_Confused))
    ),
    TrainingFault("dropout not scaled", FORWARD, ("final_layer.FC",), _made("final_layer.dropout", _as(_Unscaled2d))),
    TrainingFault("auxiliary head behind another cell", FORWARD, ("relu",), _other_aux_input),
    TrainingFault(
        "ReLU in place of a shared input",
        FORWARD,
        ("cell_3.comb_iter_3.right.max_pool",),  # the next that reads it and does not cut it too
        _made(f"{BRANCH}.relu", _as(_InPlace)),
    ),
    TrainingFault(
        "gradient stopped in one branch", GRADIENT, (f"{BRANCH}.bn_sep_5x5_1",), _made(f"{BRANCH}.relu_1", _stopped)
    ),
    TrainingFault(
        "gradient of the auxiliary head stopped", GRADIENT, ("cell_5.cell_output.concat",), _made("relu", _stopped)
    ),
    TrainingFault(
        "auxiliary weight 0.3", LOSS, ("auxiliary", TOTAL), around=_patched("pnasnet_torch.training.AUX_WEIGHT", 0.3)
    ),
    TrainingFault(
        "labels not smoothed", LOSS, CROSS_ENTROPIES, around=_patched("pnasnet_torch.training.LABEL_SMOOTHING", 0.0)
    ),
    TrainingFault(
        "labels smoothed over 1000 classes",
        LOSS,
        CROSS_ENTROPIES,
        around=_patched("pnasnet_torch.training.F.cross_entropy", _smoothed_over_1000),
    ),
    TrainingFault(
        "labels without the background",
        LOSS,
        CROSS_ENTROPIES,
        around=_patched("pnasnet_torch.training.F.cross_entropy", _without_background),
    ),
    TrainingFault(
        "L2 doubled", LOSS, ("regularization", TOTAL), around=_patched("pnasnet_torch.training.WEIGHT_DECAY", 8e-5)
    ),
    TrainingFault("L2 on batch norms", LOSS, (WHOLE, "regularization", TOTAL), around=_everything_regularized),
    TrainingFault(
        "PyTorch's RMSprop, epsilon outside of the root",
        STEP,
        EVERYTHING,
        around=_patched(OPTIMIZER, _Pytorchs),
    ),
    TrainingFault(
        "epsilon 1e-10",
        STEP,
        EVERYTHING,
        around=_patched(OPTIMIZER, partial(RMSProp, epsilon=1e-10)),
    ),
    TrainingFault(
        "gradients not clipped",
        STEP,
        EVERYTHING,
        around=_patched("parity.training.port.clip_by_global_norm", lambda _parameters: None),
    ),
    TrainingFault(
        "averages that forget too fast",
        STEP,
        ("average",),
        around=_patched("parity.training.port.Averages", partial(Averages, decay=0.999)),
    ),
)
