"""Faults of training, planted in the port one at a time: which gate fails first, and what it names."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

from torch import nn

from parity.core.layers import WHOLE
from parity.core.training_names import FORWARD, GRADIENT, GRADIENT_FLOAT32, LOSS, STEP
from parity.faults.training import planted
from parity.faults.training.bench import Plant, plant_nothing
from parity.faults.training.planted import COMBINATION, WITH_NONE
from pnasnet_torch import PNASNet
from pnasnet_torch.optimizer import Averages, RMSProp

Around = Callable[[], AbstractContextManager[object]]

BRANCH = f"{COMBINATION}.left"
SEPARABLE = f"{BRANCH}.separable_5x5_1"
NORM = f"{BRANCH}.bn_sep_5x5_1"
# Variables have TensorFlow's names, with slashes.
NORM_VARIABLES = NORM.replace(".", "/")
STATISTICS = (f"{NORM_VARIABLES}/moving_mean", f"{NORM_VARIABLES}/moving_variance")


@dataclass(frozen=True)
class TrainingFault:
    """A fault of training: what it changes, and what is to be found.

    `plant` changes the port, `around` what it is trained with. The first gate that fails is `gate`, which names exactly
    `at`; of whole steps, where a fault is in every variable, exactly these kinds of what is kept.
    """

    name: str
    gate: str
    at: tuple[str, ...]
    plant: Plant = plant_nothing
    around: Around = nullcontext


def _made(place: str, change: Callable[[Any], object]) -> Plant:
    """Return a plant that does something to the module at a place."""
    return lambda model: change(model.get_submodule(place))


def _set(place: str, **values: object) -> Plant:
    """Return a plant that sets attributes of the module at a place."""
    return partial(_set_attributes, place=place, values=values)


def _set_attributes(model: PNASNet, place: str, values: Mapping[str, object]) -> None:
    """Set attributes of the module at a place."""
    module = model.get_submodule(place)
    for name, value in values.items():
        setattr(module, name, value)


def _as(place: str, kind: type[nn.Module]) -> Plant:
    """Return a plant that makes the module at a place one of another class, with the weights that it has."""
    return _set(place, __class__=kind)


def _patched(place: str, value: object) -> Around:
    """Return what puts a value in place of a name of the port's code, as long as the port is trained."""
    return lambda: mock.patch(place, value)


def _freeze(norm: nn.Module) -> None:
    """Put a batch norm in evaluation mode."""
    norm.eval()


def _not_clipped(_parameters: object) -> None:
    """Leave all gradients as they are."""


CROSS_ENTROPIES = ("cross_entropy", "auxiliary")
OPTIMIZER = "parity.candidate.training.port.RMSProp"
TRAINING_FAULTS = (
    # PyTorch's momentum is the weight of the new value, slim's decay that of the old one.
    TrainingFault("momentum 0.9997 taken as PyTorch's", STEP, STATISTICS, _set(NORM, momentum=0.9997)),
    TrainingFault("momentum left at PyTorch's 0.1", STEP, STATISTICS, _set(NORM, momentum=0.1)),
    TrainingFault("variance with Bessel's correction", FORWARD, (NORM,), _as(NORM, planted.Unbiased)),
    TrainingFault("epsilon left at 1e-5", FORWARD, (NORM,), _set(NORM, eps=1e-5)),
    TrainingFault("batch norm frozen", FORWARD, (NORM,), _made(NORM, _freeze)),
    # The norm's own output is right; the gradient at what feeds it is the first that it computes wrongly.
    TrainingFault(
        "batch statistics are constants in the backward",
        GRADIENT,
        (f"{SEPARABLE}.pointwise",),
        _as(NORM, planted.Constant),
    ),
    # Drop path is no layer: the first one behind it is the sum.
    TrainingFault("drop path on 'none'", FORWARD, (f"{WITH_NONE}.combine.add",), planted.drop_none),
    TrainingFault(
        "drop path not scaled",
        FORWARD,
        (f"{COMBINATION}.combine.add",),
        _as(f"{COMBINATION}.drop_path.left", planted.Unscaled),
    ),
    TrainingFault("schedule off by a cell", FORWARD, (f"{COMBINATION}.combine.add",), planted.neighbours_schedule),
    TrainingFault(
        "schedule without the training step",
        FORWARD,
        (f"{COMBINATION}.combine.add",),
        _as(f"{COMBINATION}.drop_path.left", planted.AlwaysScheduled),
    ),
    TrainingFault(
        "dropout keeps what it should drop",
        FORWARD,
        ("final_layer.FC",),
        _as("final_layer.dropout", planted.Confused),
    ),
    TrainingFault("dropout not scaled", FORWARD, ("final_layer.FC",), _as("final_layer.dropout", planted.Unscaled2d)),
    # The head's first layer, which gets another cell's output.
    TrainingFault("auxiliary head behind another cell", FORWARD, ("relu",), planted.other_aux_input),
    TrainingFault(
        "ReLU in place of a shared input",
        FORWARD,
        ("cell_3.comb_iter_3.right.max_pool",),  # the next that reads it and does not cut it too
        _as(f"{BRANCH}.relu", planted.InPlace),
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
        "auxiliary weight 0.3",
        LOSS,
        ("auxiliary",),
        around=_patched("pnasnet_torch.training.AUX_WEIGHT", 0.3),
    ),
    TrainingFault(
        "labels not smoothed",
        LOSS,
        CROSS_ENTROPIES,
        around=_patched("pnasnet_torch.training.LABEL_SMOOTHING", 0.0),
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
    # As without the half of tf.nn.l2_loss; 4e-5 is right.
    TrainingFault(
        "L2 doubled",
        LOSS,
        ("regularization",),
        around=_patched("pnasnet_torch.training.WEIGHT_DECAY", 8e-5),
    ),
    # Not the value alone: other variables are regularised, too, which is named as the whole.
    TrainingFault("L2 on batch norms", LOSS, (WHOLE, "regularization"), around=planted.everything_regularized),
    # Of a step, what is kept is looked at in the order in which it is computed: mean squares, momentum, averages.
    TrainingFault(
        "PyTorch's RMSprop, epsilon outside of the root",
        STEP,
        ("rms",),
        around=_patched(OPTIMIZER, planted.Pytorchs),
    ),
    TrainingFault("epsilon 1e-10", STEP, ("momentum",), around=_patched(OPTIMIZER, partial(RMSProp, epsilon=1e-10))),
    TrainingFault(
        "gradients not clipped",
        STEP,
        ("rms",),
        around=_patched("parity.candidate.training.port.clip_by_global_norm", _not_clipped),
    ),
    TrainingFault(
        "averages that forget too fast",
        STEP,
        ("average",),
        around=_patched("parity.candidate.training.port.Averages", partial(Averages, decay=0.999)),
    ),
)
