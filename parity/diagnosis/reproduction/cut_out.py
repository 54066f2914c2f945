"""Cuts the operations at fault out of a candidate, and writes each as a folder with a script that shows the fault."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from parity.candidate.capture import CandidateError, dtype_of, run, to_nchw
from parity.core.layers import layer_of
from parity.diagnosis.examiner import Examiner
from parity.diagnosis.probe import Probe
from parity.diagnosis.reproduction.case import Case, smallest
from parity.diagnosis.reproduction.folder import write
from parity.diagnosis.reproduction.program import Program, Tape
from parity.diagnosis.verdict import DETAILED, Culprit, Verdict
from tf_reference.layers import IMAGES

# The kinds of fault that one operation shows by itself.
OF_ONE_OPERATION = ("operation", "in context", "within its bound")


def reproduce(verdict: Verdict, probe: Probe | None, knows_network: bool, folder: Path) -> Iterator[str]:
    """Write a folder for each of the first culprits, and yield a sentence on each: where, or why there is none.

    Where the reference `knows_network`, each is cut to the least that shows the fault. Raises OSError where nothing can
    be written.
    """
    for culprit in verdict.culprits[:DETAILED]:
        target = folder / f"{verdict.network}-{culprit.layer}"
        problem = _cannot(culprit, probe)
        if not problem and probe:
            problem = _reproduce(culprit, probe, knows_network, target)
        if problem:
            yield f"{culprit.layer} is not reproduced: {problem}"
        else:
            yield f"{culprit.layer} is reproduced by python {target / 'reproduce.py'}"
    left = len(verdict.culprits) - DETAILED
    if left > 0:
        yield f"{left:,} more culprits are not reproduced: the first {DETAILED} are"


def _cannot(culprit: Culprit, probe: Probe | None) -> str:
    """Return why no operation alone shows the fault of a culprit; empty if one may."""
    if not probe:
        return "there are no values of TensorFlow's to show it by"
    if culprit.kind not in OF_ONE_OPERATION:
        return f"its fault is of the kind {culprit.kind}, which no operation shows alone"
    return ""


def _reproduce(culprit: Culprit, probe: Probe, knows_network: bool, target: Path) -> str:
    """Write the folder of a culprit; return why it cannot be, or nothing."""
    examiner = Examiner(probe, [culprit.layer])
    try:
        program, actual = _taken(examiner, culprit.layer)
    except Exception as error:  # whatever a faulty operation raises
        return f"it raises {type(error).__name__}: {error}"
    case = _case(examiner, culprit.layer, program)
    official = examiner.official[culprit.layer]
    if not np.array_equal(case.actual(), actual, equal_nan=True):
        return "run again from what it takes, it gives other values: something else changes them"
    if actual.shape != official.shape:
        write(target, case, official, culprit)
        return ""
    if knows_network:
        worst = np.unravel_index(int(np.abs(actual - official).argmax()), official.shape)

        def shows(smaller: Case) -> bool:
            """Return whether a part of the case still shows the fault."""
            try:
                expected, given = _expected(probe, smaller), smaller.actual()
            except Exception:  # what does not fit together shows nothing
                return False
            return given.shape == expected.shape and not all(smaller.checks(given, expected))

        case = smallest(case, shows, tuple(map(int, worst)))
        official = _expected(probe, case)
    write(target, case, official, culprit)
    return ""


def _expected(probe: Probe, case: Case) -> np.ndarray:
    """Return what TensorFlow gives (NHWC)."""
    return probe.sides.reference.replay(case.layer, case.inputs, case.variables)


def _taken(examiner: Examiner, layer: str) -> tuple[Program, np.ndarray]:
    """Return what the candidate does at a layer as a program, and what it gives (NHWC) on the official inputs."""
    inputs = [examiner.official[name] for name in examiner.graph.layers[layer].inputs]
    model = examiner.model
    tape = Tape(model.module)
    if layer in examiner.layers:
        tensors = [to_nchw(array, dtype_of(model.module)) for array in inputs]
        for number, tensor in enumerate(tensors):
            tape.is_input(tensor, number)
        with torch.no_grad(), tape:
            output = model.value(layer, model.layers[layer](*tensors))
        return tape.program(output), _nhwc(output)
    return _taken_in_context(examiner, layer, tape)


def _taken_in_context(examiner: Examiner, layer: str, tape: Tape) -> tuple[Program, np.ndarray]:
    """Return the same of a layer that nothing runs alone: the model runs, and what feeds the layer is official."""
    feeders = examiner.graph.layers[layer].inputs
    found: list[tuple[Program, np.ndarray]] = []

    def after(name: str, output: Tensor) -> None:
        """Put the official values into the place of what feeds the layer, and take the layer's."""
        if name in feeders:
            output.copy_(to_nchw(examiner.official[name], output.dtype))
            tape.is_input(output, feeders.index(name))
        if name == layer:
            found.append((tape.program(output), _nhwc(output)))

    images = to_nchw(examiner.probe.images, dtype_of(examiner.model.module))
    if IMAGES in feeders:
        tape.is_input(images, feeders.index(IMAGES))
    try:
        with tape:
            run(examiner.model, images, after=after)
    except CandidateError:  # behind the layer it is no matter
        if not found:
            raise
    return found[0]


def _nhwc(output: Tensor) -> np.ndarray:
    """Return a layer's value as an array (NHWC) of its own."""
    value = output.detach().permute(0, 2, 3, 1) if output.ndim == 4 else output.detach()
    return np.ascontiguousarray(value.numpy())


def _case(examiner: Examiner, layer: str, program: Program) -> Case:
    """Return a layer with all that it takes."""
    inputs = [examiner.official[name] for name in examiner.graph.layers[layer].inputs]
    variables = {name: examiner.probe.variables[name] for name in _variables_of(examiner, layer)}
    dtype = examiner.graph.spec.dtype
    # A view of a parameter shares its memory.
    by_memory = {}
    for name, view in examiner.model.variables().items():
        by_memory[view.untyped_storage().data_ptr(), view.storage_offset()] = name
    variable_of = {}
    for name, tensor in program.constants.items():
        variable = by_memory.get((tensor.untyped_storage().data_ptr(), tensor.storage_offset()))
        if variable in variables:
            variable_of[name] = variable
    return Case(
        layer,
        examiner.graph.layers[layer].kind,
        tuple(np.asarray(array, dtype) for array in inputs),
        {name: np.asarray(array, dtype) for name, array in variables.items()},
        program,
        program.constants,
        variable_of,
        exact=examiner.probe.gate.startswith("exact"),
    )


def _variables_of(examiner: Examiner, layer: str) -> Sequence[str]:
    """Return the names of the official variables that a layer takes."""
    return [name for name in examiner.probe.variables if layer_of(name) == layer]
