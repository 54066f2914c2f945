"""A candidate judged by a trace gets the results that it got when the trace was recorded."""

from pathlib import Path
from shutil import copy

import h5py
import numpy as np
import pytest
from torch import Tensor

from parity.reference.trace.store import Reader
from parity.session.session import ParitySession
from pnasnet_torch import PNASNet
from pnasnet_torch.operations import BatchNorm
from pnasnet_torch.weights import load_tf_variables
from tests.parity.reference.trace.conftest import NETWORK, SELECTION, STEM, judged, options
from tf_reference.errors import InputError

pytestmark = pytest.mark.slow
Recorded = tuple[ParitySession, Path]


def test_every_result_is_the_same_as_with_tensorflow(recorded: Recorded) -> None:
    """All figures, to the last digit, on both photographs and the integers."""
    live, path = recorded
    assert judged(options(reference=path)).results == live.results
    judged_by_gate = {gate: set(results) for gate, results in live.results[NETWORK].items()}
    assert judged_by_gate == {gate: set(names) for (gate, _), names in SELECTION.items()}


def test_recording_changes_no_result(recorded: Recorded) -> None:
    live, _ = recorded
    assert judged(options()).results == live.results


def plant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant another epsilon in the port's first batch norm."""

    def load(model: PNASNet, variables: dict[str, np.ndarray]) -> None:
        load_tf_variables(model, variables)
        model.get_submodule("conv0_bn").eps = 1e-5  # type: ignore[assignment]

    monkeypatch.setattr("parity.candidate.model.load_tf_variables", load)


def test_a_fault_is_found_and_replayed_without_tensorflow(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    session = judged(options(reference=recorded[1]))
    (verdict,) = session.verdicts
    (culprit,) = verdict.culprits
    assert (culprit.layer, culprit.kind) == ("conv0_bn", "operation")
    assert [replay.gate for replay in culprit.replays] == ["float64"]
    assert any("eps" in hint for hint in culprit.hints)
    assert set(verdict.downstream) == {"cell_stem_0.relu", "cell_stem_0.1x1"}


def test_a_layer_whose_inputs_are_not_held_is_named_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be run alone, and the verdict says so."""
    selection = {("float64", NETWORK): frozenset({"conv0_bn"})}
    judged(options(record=tmp_path / "one.h5"), selection)
    plant(monkeypatch)
    session = judged(options(reference=tmp_path / "one.h5"), selection)
    (culprit,) = session.verdicts[0].culprits
    assert (culprit.layer, culprit.kind, culprit.unjudged) == ("conv0_bn", "not replayed", ("conv0",))


def test_a_candidate_that_breaks_off_leaves_a_whole_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind its error, too, all that was selected is recorded."""
    with monkeypatch.context() as planted:

        def fail(_norm: BatchNorm, _images: Tensor) -> Tensor:
            raise ValueError("planted")

        planted.setattr(BatchNorm, "forward", fail)
        assert not judged(options(record=tmp_path / "whole.h5")).results[NETWORK]["float32"]["conv0_bn"]
    session = judged(options(reference=tmp_path / "whole.h5"))
    assert all(result for gate in session.results[NETWORK].values() for result in gate.values())


def test_no_more_than_one_layer_is_held_while_the_next_is_read(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before is freed when the next is."""
    import weakref

    layers_read: list[weakref.ref[np.ndarray]] = []
    counts_held: list[int] = []
    get = Reader.get

    def watched(self: Reader, path: str) -> np.ndarray:
        still_held = [array for array in (ref() for ref in layers_read) if array is not None]
        counts_held.append(sum(array.size > 10_000 for array in still_held))
        array = get(self, path)
        if "/float64/" in path or "/float32/" in path:
            layers_read.append(weakref.ref(array))
        return array

    monkeypatch.setattr(Reader, "get", watched)
    # Of a network as small as this one, the float64 values would be kept for the float32 gate.
    monkeypatch.setattr("parity.gates.values.KEPT", 0)
    judged(options(reference=recorded[1]))
    assert len(layers_read) > 4 * len(STEM)
    # Beside the one that is read: a layer in both dtypes, for the float32 gate, and the next one in float64.
    assert max(counts_held) <= 3


def test_a_layer_that_was_altered_ends_the_run_and_is_named(recorded: Recorded, tmp_path: Path) -> None:
    path = Path(copy(recorded[1], tmp_path / "altered.h5"))
    with h5py.File(path, "r+") as file:
        file[f"arrays/{NETWORK}/float64/photograph-1/cell_stem_0.1x1"][0, 3, 4, 5] *= 1.0000001
    with pytest.raises(InputError, match=r"checksum of mobile-97x131/float64/photograph-1/cell_stem_0\.1x1 does not"):
        judged(options(reference=path))


def test_a_run_that_ends_early_leaves_no_trace(tmp_path: Path) -> None:
    from parity.session.opening import open_reference

    recording = options(record=tmp_path / "early.h5")
    session = ParitySession(recording, SELECTION, open_reference(recording, SELECTION))
    session.result("exact-float32", NETWORK, "conv0")
    session.close()
    assert list(tmp_path.iterdir()) == []
    (sentence,) = session.said_at_end
    assert "early.h5 is not written, since the run ended before all was computed" in sentence


def test_an_error_in_the_verdict_still_ends_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from parity.session.opening import open_reference

    def fail(*_arguments: object) -> None:
        raise RuntimeError("planted in the verdict")

    plant(monkeypatch)
    monkeypatch.setattr("parity.session.session.diagnose", fail)
    recording = options(record=tmp_path / "some.h5")
    selection = {("exact-float32", NETWORK): frozenset({"conv0_bn"})}
    session = ParitySession(recording, selection, open_reference(recording, selection))
    assert not session.result("exact-float32", NETWORK, "conv0_bn")
    with pytest.raises(RuntimeError, match="planted"):
        session.close()
    assert list(tmp_path.iterdir()) == []


def test_a_fault_in_float32_alone_is_told_as_such(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace cannot replay in float32, and the verdict does not take that for a fault that comes and goes."""

    def load(model: PNASNet, variables: dict[str, np.ndarray]) -> None:
        load_tf_variables(model, variables)
        if model.get_parameter("conv0_bn.bias").dtype.itemsize == 4:
            model.get_submodule("conv0_bn").eps = 1e-5  # type: ignore[assignment]

    monkeypatch.setattr("parity.candidate.model.load_tf_variables", load)
    selection = {("float32", NETWORK): frozenset(STEM), ("float64", NETWORK): frozenset(STEM)}
    (culprit,) = judged(options(reference=recorded[1]), selection).verdicts[0].culprits
    assert (culprit.layer, culprit.kind) == ("conv0_bn", "float32 alone")
