"""`pnasnet-parity trace`: what a trace holds, and what differs between two."""

from pathlib import Path
from shutil import copy

import h5py
import numpy as np
import pytest

from parity.core.command import USAGE_ERROR, run
from parity.reference.trace.__main__ import PROG, main
from parity.reference.trace.store import Writer
from parity.session.session import ParitySession
from tests.parity.reference.trace.conftest import NETWORK, judged, options

Recorded = tuple[ParitySession, Path]
Printed = pytest.CaptureFixture[str]


def test_info_shows_what_it_was_made_from_and_holds(recorded: Recorded, capsys: Printed) -> None:
    assert main(["info", str(recorded[1]), "--verify"]) == 0
    printed = capsys.readouterr().out
    assert "tensorflow 2." in printed
    assert "images: chelsea.jpg" in printed
    rows = [line.split() for line in printed.splitlines()]
    assert [str(NETWORK), "float64", "4"] in rows
    assert [str(NETWORK), "preprocess", "1"] in rows
    assert "every checksum fits" in printed


def test_verify_finds_an_altered_array(recorded: Recorded, tmp_path: Path, capsys: Printed) -> None:
    path = Path(copy(recorded[1], tmp_path / "altered.h5"))
    with h5py.File(path, "r+") as file:
        file[f"arrays/{NETWORK}/variables/checkpoint/conv0/weights"][0] += 1
    assert main(["info", str(path)]) == 0
    assert run(main, PROG, ["info", str(path), "--verify"]) == USAGE_ERROR
    assert "the checksum of mobile-97x131/variables/checkpoint/conv0/weights does not fit" in capsys.readouterr().err


def test_a_trace_is_the_same_as_itself(recorded: Recorded, capsys: Printed) -> None:
    assert main(["diff", str(recorded[1]), str(recorded[1])]) == 0
    printed = capsys.readouterr().out
    assert f"{NETWORK}/float32/photograph-1: 4 arrays in both, 4 the same bits" in printed
    assert printed.endswith("the same values\n")


def test_another_checkpoint_differs_from_the_first_layer_on(
    recorded: Recorded, tmp_path: Path, capsys: Printed
) -> None:
    selection = {("float64", NETWORK): frozenset({"conv0", "conv0_bn"})}
    judged(options(record=tmp_path / "other.h5", seed=1), selection)
    assert main(["diff", str(recorded[1]), str(tmp_path / "other.h5"), "--layers"]) == 1
    printed = capsys.readouterr().out
    assert "made from: seed: 0 and 1" in printed
    folder = f"{NETWORK}/float64/photograph-0"
    assert f"{folder}: 2 arrays in both, 0 the same bits, the first that differs is conv0 (relative L2 " in printed
    assert "2 only in the first, such as cell_stem_0.relu" in printed
    assert "  conv0_bn: relative L2 " in printed
    assert printed.endswith("the traces differ\n")


def described(*layers: str) -> dict[str, object]:
    """Return the head of a trace with a graph of these layers."""
    row = {"name": "", "kind": "Relu", "tensor": "any", "shape": [None, 1], "dtype": "float32", "inputs": []}
    return {
        "provenance": {},
        "recorded": {},
        "graphs": {"n": {"float32": {"layers": dict.fromkeys(layers, row), "variables": {}}}},
    }


def test_a_layer_that_only_one_has_is_a_difference(tmp_path: Path, capsys: Printed) -> None:
    fewer = tmp_path / "fewer.h5"
    more = tmp_path / "more.h5"
    Writer(fewer).finish(described("x", "y"))
    Writer(more).finish(described("x", "y", "z"))
    assert main(["diff", str(fewer), str(fewer)]) == 0
    assert main(["diff", str(fewer), str(more)]) == 1
    assert main(["diff", str(more), str(fewer)]) == 1
    printed = capsys.readouterr().out
    assert "graph: n float32 layers: 1 are only in the second, such as z" in printed
    assert "graph: n float32 layers: 1 are only in the first, such as z" in printed


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_infinitely_far(tmp_path: Path, capsys: Printed, value: float) -> None:
    for name, last in (("sound", 1.0), ("broken", value)):
        writer = Writer(tmp_path / f"{name}.h5")
        writer.put("n/float64/integers/conv0", np.array([0.5, last]))
        writer.finish({"provenance": {}, "graphs": {}, "recorded": {}})
    assert main(["diff", str(tmp_path / "sound.h5"), str(tmp_path / "broken.h5")]) == 1
    assert "conv0 (relative L2 inf)" in capsys.readouterr().out


def test_a_file_that_is_no_trace_is_an_error(tmp_path: Path, capsys: Printed) -> None:
    assert run(main, PROG, ["info", str(tmp_path / "absent.h5")]) == USAGE_ERROR
    assert "pnasnet-parity trace: there is no trace at" in capsys.readouterr().err
