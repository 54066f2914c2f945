"""Faults of training, planted in the port one at a time: which gate fails first, and what it names."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

from torch import nn

from parity.core.layers import WHOLE
from parity.core.training_names import FORWARD, GRADIENT, GRADIENT_FLOAT32, LOSS, STEP
from parity.faults.training import planted
from parity.faults.training.planted import COMBINATION, WITH_NONE
from pnasnet_torch import PNASNet
from pnasnet_torch.optimizer import Averages, RMSProp

Plant = Callable[[PNASNet], object]
Around = Callable[[], AbstractContextManager[object]]

BRANCH = f"{COMBINATION}.left"
SEPARABLE = f"{BRANCH}.separable_5x5_1"
NORM = f"{BRANCH}.bn_sep_5x5_1"
STATISTICS = tuple(f"{NORM.replace('.', '/')}/{name}" for name in ("moving_mean", "moving_variance"))


@dataclass(frozen=True)
class TrainingFault:
    """`plant` changes the port, `around` what it is trained with. The first gate that fails is `gate`, which names
    exactly `at`; of whole steps, where a fault is in every variable, exactly these kinds of what is kept."""

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


CROSS_ENTROPIES = ("cross_entropy", "auxiliary")
OPTIMIZER = "parity.candidate.training.port.RMSProp"
TRAINING_FAULTS = (
    TrainingFault("momentum 0.9997 taken as PyTorch's", STEP, STATISTICS, _made(NORM, _set(momentum=0.9997))),
    TrainingFault("momentum left at PyTorch's 0.1", STEP, STATISTICS, _made(NORM, _set(momentum=0.1))),
    TrainingFault("variance with Bessel's correction", FORWARD, (NORM,), _made(NORM, _as(planted.Unbiased))),
    TrainingFault("epsilon left at 1e-5", FORWARD, (NORM,), _made(NORM, _set(eps=1e-5))),
    TrainingFault("batch norm frozen", FORWARD, (NORM,), _made(NORM, lambda norm: norm.eval())),
    TrainingFault(
        "batch statistics are constants in the backward",
        GRADIENT,
        (f"{BRANCH}.separable_5x5_1.pointwise",),
        _made(NORM, _as(planted.Constant)),
    ),
    TrainingFault("drop path on 'none'", FORWARD, (f"{WITH_NONE}.combine.add",), planted.drop_none),
    TrainingFault(
        "drop path not scaled",
        FORWARD,
        (f"{COMBINATION}.combine.add",),
        _made(f"{COMBINATION}.drop_path.left", _as(planted.Unscaled)),
    ),
    TrainingFault("schedule off by a cell", FORWARD, (f"{COMBINATION}.combine.add",), planted.neighbours_schedule),
    TrainingFault(
        "schedule without the training step",
        FORWARD,
        (f"{COMBINATION}.combine.add",),
        _made(f"{COMBINATION}.drop_path.left", _as(planted.AlwaysScheduled)),
    ),
    TrainingFault(
        "dropout keeps what it should drop",
        FORWARD,
        ("final_layer.FC",),
        _made("final_layer.dropout", _as(planted.Confused)),
    ),
    TrainingFault(
        "dropout not scaled", FORWARD, ("final_layer.FC",), _made("final_layer.dropout", _as(planted.Unscaled2d))
    ),
    TrainingFault("auxiliary head behind another cell", FORWARD, ("relu",), planted.other_aux_input),
    TrainingFault(
        "ReLU in place of a shared input",
        FORWARD,
        ("cell_3.comb_iter_3.right.max_pool",),  # the next that reads it and does not cut it too
        _made(f"{BRANCH}.relu", _as(planted.InPlace)),
    ),
    TrainingFault(
        "gradient stopped in one branch",
        GRADIENT,
        (f"{BRANCH}.bn_sep_5x5_1",),
        _made(f"{BRANCH}.relu_1", planted.stopped),
    ),
    TrainingFault(
        "gradient of the auxiliary head stopped",
        GRADIENT,
        ("cell_5.cell_output.concat",),
        _made("relu", planted.stopped),
    ),
    TrainingFault(
        "gradient through bfloat16, in float32",
        GRADIENT_FLOAT32,
        (f"{SEPARABLE}.depthwise", f"{SEPARABLE.replace('.', '/')}/pointwise_weights"),
        _made(f"{SEPARABLE}.pointwise", planted.through_bfloat16),
    ),
    TrainingFault(
        "auxiliary weight 0.3", LOSS, ("auxiliary",), around=_patched("pnasnet_torch.training.AUX_WEIGHT", 0.3)
    ),
    TrainingFault(
        "labels not smoothed", LOSS, CROSS_ENTROPIES, around=_patched("pnasnet_torch.training.LABEL_SMOOTHING", 0.0)
    ),
    TrainingFault(
        "labels smoothed over 1000 classes",
        LOSS,
        CROSS_ENTROPIES,
        around=_patched("pnasnet_torch.training.F.cross_entropy", planted.smoothed_over_1000),
    ),
    TrainingFault(
        "labels without the background",
        LOSS,
        CROSS_ENTROPIES,
        around=_patched("pnasnet_torch.training.F.cross_entropy", planted.without_background),
    ),
    TrainingFault(
        "L2 doubled", LOSS, ("regularization",), around=_patched("pnasnet_torch.training.WEIGHT_DECAY", 8e-5)
    ),
    TrainingFault("L2 on batch norms", LOSS, (WHOLE, "regularization"), around=planted.everything_regularized),
    TrainingFault(
        "PyTorch's RMSprop, epsilon outside of the root",
        STEP,
        ("rms",),
        around=_patched(OPTIMIZER, planted.Pytorchs),
    ),
    TrainingFault(
        "epsilon 1e-10",
        STEP,
        ("momentum",),
        around=_patched(OPTIMIZER, partial(RMSProp, epsilon=1e-10)),
    ),
    TrainingFault(
        "gradients not clipped",
        STEP,
        ("rms",),
        around=_patched("parity.candidate.training.port.clip_by_global_norm", lambda _parameters: None),
    ),
    TrainingFault(
        "averages that forget too fast",
        STEP,
        ("average",),
        around=_patched("parity.candidate.training.port.Averages", partial(Averages, decay=0.999)),
    ),
)
