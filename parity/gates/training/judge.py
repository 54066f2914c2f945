"""The training gates of one network: the official network trains first, then the port, judged in its hooks.

A network's values and gradients take gigabytes. So each stage computes what the next one needs, and frees it before the
one after: at no time are both all values and all gradients held, nor an official session longer than it is used.
"""

from parity.candidate.training.port import Make, make_model
from parity.core.computing import Layers, Observe, Results, Step, observe_nothing
from parity.core.layers import Network
from parity.core.pinning import release_memory
from parity.core.result import LayerResult
from parity.core.training_names import FORWARD_FLOAT32, GRADIENT, GRADIENT_FLOAT32, STATISTICS, STEP
from parity.gates.training.isolated import official_isolated
from parity.gates.training.judged import JudgedTraining
from parity.gates.training.single import OfficialFloat32
from parity.reference.training import Arrays, OfficialTraining


def judge(
    network: Network,
    official: OfficialTraining,
    chosen: Layers,
    step: Step,
    make: Make = make_model,
    observe: Observe = observe_nothing,
) -> dict[str, Results]:
    """Judge the port's training by all gates but the integer network's.

    Returns the layer results by gate and name for the names `chosen` of each gate. A name that the port does not give
    fails. `step` shows what is being computed, `make` gives the port, and `observe` sees each comparison.
    """
    judged = JudgedTraining(network, official.parts, official.variables, official.batches, make, observe)
    # Steps come first: they need neither values nor gradients, and their session would lie beside both.
    if chosen.get(STEP):
        _judge_steps(judged, official, step)
    _judge_forward(judged, official, chosen, step)
    _judge_backward(judged, official, step)
    if not all(judged.results[GRADIENT].values()):
        _mark_gradients_at_fault(judged, official, step)
    if chosen.get(GRADIENT_FLOAT32):
        _judge_backward_float32(judged, official, step)
    return {gate: _chosen_results(judged, gate, chosen) for gate in judged.results}


def _judge_steps(judged: JudgedTraining, official: OfficialTraining, step: Step) -> None:
    """Judge whole steps of the optimiser in float64; where they differ, find the first step that does."""
    network, count = judged.network, len(official.batches)
    with step(f"{network}: official network takes {count} steps in float64"):
        official_variables = official.steps(count)
    with step(f"{network}: port takes {count} steps in float64"):
        judged.judge_steps(official_variables)
    del official_variables
    if not all(judged.results[STEP].values()):
        with step(f"{network}: looking for the step that is the first to differ"):
            for fewer in range(1, count):
                if judged.differs_after(fewer, official.steps(fewer)):
                    break
    release_memory()


def _judge_forward(judged: JudgedTraining, official: OfficialTraining, chosen: Layers, step: Step) -> None:
    """Judge one forward in float64, and, where these were chosen, forwards and moving statistics in float32."""
    network = judged.network
    with step(f"{network}: official network's forward in float64"):
        values = official.forward("float64")
    if chosen.get(FORWARD_FLOAT32) or chosen.get(STATISTICS):
        _judge_forward_float32(judged, official, values, step)
    with step(f"{network}: port's forward in float64"):
        judged.judge_forward(values)
    release_memory()


def _judge_forward_float32(judged: JudgedTraining, official: OfficialTraining, truth: Arrays, step: Step) -> None:
    """Judge forwards in float32 by each side's distance from the `truth`, the official values in float64."""
    network = judged.network
    with step(f"{network}: official network's forward in float32"):
        official_float32 = OfficialFloat32(network, official, truth)
    official.release("float32")
    with step(f"{network}: port's forward in float32"):
        judged.judge_forward_float32(official_float32, truth)
    release_memory()


def _judge_backward(judged: JudgedTraining, official: OfficialTraining, step: Step) -> None:
    """Judge the loss and all gradients of one forward and backward in float64."""
    network = judged.network
    with step(f"{network}: official network's gradients in float64"):
        losses, gradients = official.backward("float64")
    official.release("float64")
    with step(f"{network}: port's gradients in float64"):
        judged.judge_backward(losses, gradients)
    release_memory()


def _mark_gradients_at_fault(judged: JudgedTraining, official: OfficialTraining, step: Step) -> None:
    """Find which of the gradients that differ do so on the official network's own values, too."""
    with step(f"{judged.network}: looking for the culprit"):
        isolated = official_isolated(official, "float64")
        official.release("float64")
        judged.mark_gradients_at_fault(isolated)
    release_memory()


def _judge_backward_float32(judged: JudgedTraining, official: OfficialTraining, step: Step) -> None:
    """Judge each layer's backward in float32, on the official network's own values and gradients."""
    network = judged.network
    with step(f"{network}: official network's gradients in float32, each alone"):
        isolated = official_isolated(official, "float32")
    official.release("float32")
    with step(f"{network}: port's gradients in float32, each alone"):
        judged.judge_backward_float32(isolated)


def _chosen_results(judged: JudgedTraining, gate: str, chosen: Layers) -> Results:
    """Return the gate's result of each chosen name; a name without one fails, and its result says why."""
    results: Results = {}
    # Sorted, as a set's order is another one in each process.
    for name in sorted(chosen.get(gate, ())):
        problem = judged.problems[gate]
        missing = LayerResult(gate, str(judged.network), name, problem=problem)
        results[name] = judged.results[gate].get(name, missing)
    return results
