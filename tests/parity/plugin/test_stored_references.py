"""`--record`, and `--reference` with what is stored, as a user types them: what works without TensorFlow."""

import re
from pathlib import Path

import h5py
import pytest

from parity.reference.trace.store import Writer
from tests.parity.plugin.test_command_line import HIDE, PLANT, SPY, Run, run
from tests.parity.plugin.test_options import parse
from tests.parity.starting import ROOT, USAGE_ERROR, start_here

__all__ = ["run"]
NETWORK = ("--variant=mobile", "--image-size=64")
SELECTED = ("-k", "conv0 or preprocess")
Recorded = tuple[Path, str]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A trace of the first convolution and its batch norm, and what was said when it was recorded."""
    folder = tmp_path_factory.mktemp("recorded")
    code, said = start_here(*NETWORK, *SELECTED, f"--record={folder / 'one.h5'}")
    assert code == 0, said
    return folder / "one.h5", said


def test_recording_says_where_the_trace_lies(recorded: Recorded) -> None:
    path, said = recorded
    assert f"parity: recorded in {path}, 0." in said
    assert [file.name for file in path.parent.glob("*.h5*")] == ["one.h5"]


def test_a_trace_judges_without_tensorflow(recorded: Recorded, run: Run) -> None:
    """All gates, on the weights and images that it holds; where it came from stands in the header."""
    path, before = recorded
    code, said = run(f"--reference={path}", *SELECTED, plugin=HIDE)
    assert code == 0, said
    assert f"parity: mobile-64: the port against {path}" in said
    assert "parity:   made from official 20" in said
    assert "parity: images (SHA-256) chelsea.jpg" in said
    for gate in ("preprocess", "structure", "exact-float32", "exact-float64", "float64", "float32"):
        assert gate in said
    assert said.count(" passed") == before.count(" passed") == 1


@pytest.mark.slow
def test_no_tensorflow_is_imported_where_it_is_installed(recorded: Recorded, run: Run) -> None:
    golden = ("--reference=golden", "-k", "mobile-97x131 and conv0_bn")
    for arguments in ((f"--reference={recorded[0]}", *SELECTED), golden):
        code, said = run(*arguments, plugin=SPY)
        assert code == 0, said
        assert "imported: parity" in said.splitlines()
    # Where the official network runs, it does so in a process of its own.
    _, said = run(*NETWORK, "-k", "structure and conv0_bn", plugin=SPY)
    assert "imported: parity" in said.splitlines()
    # What is imported is seen.
    _, said = run(*golden, plugin=f"import tensorflow\n{SPY}")
    assert "tensorflow" in said.partition("imported:")[2]


def test_the_golden_digests_judge_without_tensorflow(run: Run) -> None:
    code, said = run("--reference=golden", "-k", "exact and mobile-97x131 and cell_stem_0", plugin=HIDE)
    assert code == 0, said
    assert "mobile-97x131  exact-float64  " in said
    assert "parity: integer network, seed 0" in said


@pytest.mark.usefixtures("other_epsilon")
@pytest.mark.parametrize("stored", ["golden", "trace"])
def test_a_fault_is_named_by_what_is_stored(recorded: Recorded, stored: str) -> None:
    given = ("--reference=golden", "-k", "mobile-97x131 and exact and conv0_bn")
    if stored == "trace":
        given = (f"--reference={recorded[0]}", *SELECTED)
    code, said = start_here(*given)
    assert code == 1
    verdict = said.partition(" verdict ")[2]
    assert ("  conv0_bn: not replayed" if stored == "golden" else "  conv0_bn: operation") in verdict
    assert given[0] in verdict.partition("a closer look: pytest parity")[2]


@pytest.mark.slow
def test_a_fault_is_named_without_tensorflow(recorded: Recorded, run: Run) -> None:
    code, said = run(f"--reference={recorded[0]}", *SELECTED, plugin=HIDE + PLANT)
    assert code == 1
    assert "  conv0_bn: operation" in said.partition(" verdict ")[2]


@pytest.mark.slow
def test_golden_digests_have_no_case_of_other_gates(run: Run) -> None:
    code, said = run("--reference=golden", "--collect-only", "-q")
    assert code == 0
    assert "test_exact[large-331-float64-" in said
    assert "test_float64" not in said
    assert "test_preprocess" not in said


def test_a_gate_that_the_reference_knows_nothing_for_is_refused() -> None:
    ignored = (f"--ignore={ROOT / 'parity' / name}" for name in ("test_exact.py", "test_structure.py"))
    code, said = start_here("--reference=golden", *ignored)
    assert code == USAGE_ERROR
    assert "nothing can be judged: --reference golden holds structure, exact-float32, exact-float64" in said


REFUSED = {
    "weights": (["--checkpoint=model.ckpt"], "--checkpoint cannot go with --reference"),
    "images": (["--images=."], "--images cannot go with --reference"),
    "seed": (["--seed=1"], "--seed cannot go with --reference"),
    "another network": (["--variant=large"], "holds mobile-64, and not what is asked for"),
    "one of two networks": (["--variant=large", "--variant=mobile"], "holds mobile-64, and not what is asked for"),
    "another size": (["--image-size=64", "--image-size=65"], "holds mobile-64, and not what is asked for"),
    "recording": (["--record=other.h5"], "--record cannot go with --reference"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_trace_cannot_do_is_refused(recorded: Recorded, name: str) -> None:
    arguments, words = REFUSED[name]
    with pytest.raises(pytest.UsageError, match=re.escape(words)):
        parse(f"--reference={recorded[0]}", *arguments)


def test_a_selection_that_a_trace_does_not_hold_is_refused(recorded: Recorded) -> None:
    code, said = start_here(f"--reference={recorded[0]}", "-k", "cell_stem_0")
    assert code == USAGE_ERROR
    assert "cases is selected" in said
    assert "holds preprocess, structure, exact-float32, exact-float64" in said


@pytest.mark.slow
def test_an_evaluation_is_refused(recorded: Recorded, run: Run) -> None:
    code, said = run(f"--reference={recorded[0]}", "--full-imagenet", plugin=HIDE)
    assert code == USAGE_ERROR
    assert "--full-imagenet cannot go with --reference" in said


@pytest.mark.slow
def test_a_part_is_judged_as_a_part(recorded: Recorded, run: Run) -> None:
    """Without a selection all that the trace holds is judged, and it is said how much that is."""
    code, said = run(f"--reference={recorded[0]}", "--image-size=64x64", plugin=HIDE)
    assert code == 0, said
    assert "parity:   of mobile-64 it holds 2 of 726 layers" in said
    assert re.search(r"^mobile-64 +float32 +2 +0 ", said, re.M)


def test_weights_of_the_port_are_not_replaced_by_a_trace(tmp_path: Path) -> None:
    (tmp_path / "weights.h5").write_bytes(b"weights")
    with pytest.raises(pytest.UsageError, match="this file is no trace, and is not replaced"):
        parse(f"--record={tmp_path / 'weights.h5'}", *NETWORK)
    assert (tmp_path / "weights.h5").read_bytes() == b"weights"


def test_a_trace_is_replaced_with_force_alone(tmp_path: Path) -> None:
    path = tmp_path / "some.h5"
    writer = Writer(path)
    writer.finish({"provenance": {}, "recorded": {}})
    writer.close()
    with pytest.raises(pytest.UsageError, match=r"this trace is there already: name another file, or add --force"):
        parse(f"--record={path}", *NETWORK)
    assert parse(f"--record={path}", "--force", *NETWORK).record == path


def test_a_place_where_no_trace_can_be_written_is_refused_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(pytest.UsageError, match=r"--record \S*: \S*file cannot be written: .* is a file, name an"):
        parse(f"--record={tmp_path / 'file/some.h5'}", *NETWORK)


def test_compression_without_a_trace_is_refused() -> None:
    with pytest.raises(pytest.UsageError, match=r"--record-compression is for --record FILE\.h5"):
        parse("--record-compression=lzf", *NETWORK)


@pytest.mark.parametrize("name", ["trace.txt", "folder.h5"])
def test_a_name_that_is_none_of_a_trace_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(pytest.UsageError, match=r"expected the name of a file that ends in \.h5"):
        parse(f"--record={tmp_path / name}", *NETWORK)


def test_a_file_that_is_no_trace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no HDF5")
    for name, words in (("text.h5", "is no HDF5 file, or a truncated one"), ("none.h5", "there is no trace at")):
        with pytest.raises(pytest.UsageError, match=words):
            parse(f"--reference={tmp_path / name}")


@pytest.mark.slow
def test_an_altered_trace_ends_the_run(recorded: Recorded, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "altered.h5"
    path.write_bytes(recorded[0].read_bytes())
    with h5py.File(path, "r+") as file:
        file["arrays/mobile-64/variables/checkpoint/conv0/weights"][0, 0, 0, 0] += 1
    code, said = run(f"--reference={path}", *SELECTED, plugin=HIDE)
    assert code == USAGE_ERROR
    assert "was altered: the checksum of mobile-64/variables/checkpoint/conv0/weights does not fit" in said


@pytest.mark.slow
def test_a_full_disk_ends_the_run_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    """As far as the operating system's limit of a file's size is one; it comes when there seemed to be room."""
    limit = (
        "import resource\ndef pytest_runtest_setup(): resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    )
    code, said = run(*NETWORK, *SELECTED, "-pno:cacheprovider", f"--record={tmp_path / 'full.h5'}", plugin=limit)
    assert code == USAGE_ERROR
    assert "full.h5 cannot be written" in said
    assert not list(tmp_path.glob("*full.h5*"))


@pytest.mark.slow
def test_a_run_that_stops_early_leaves_no_trace(run: Run, tmp_path: Path) -> None:
    code, said = run(*NETWORK, *SELECTED, "-x", f"--record={tmp_path / 'early.h5'}", plugin=PLANT)
    assert code == 1
    assert "early.h5 is not written, since the run ended before all was computed" in said
    assert not list(tmp_path.glob("*early.h5*"))
