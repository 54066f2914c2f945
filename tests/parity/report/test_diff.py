"""`pnasnet-parity report diff`: what got worse between two runs is seen, and nothing is left out in silence."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from parity.core.command import FAILED, USAGE_ERROR, run
from parity.core.layers import Network
from parity.core.policy import TRAINING_GATES
from parity.core.result import Check, LayerResult
from parity.report.__main__ import PROG, main
from parity.report.document import SCHEMA, Outcome, document
from parity.report.render import write
from tests.parity.starting import start_here

from .conftest import NETWORK

Document = dict[str, Any]
Margins = Mapping[str, float]
BEFORE = {"conv0": 0.5, "conv0_bn": 0.5, "cell_0.relu": 0.5}
GOLDEN = ("--reference=golden", "--variant=mobile", "--image-size=97x131", "--threads=1", "-q", "-k", "exact and conv0")


@dataclass
class Reports:
    """Writes reports as runs do, of layers with given margins, and compares them as the command does."""

    outcome: Outcome
    provenance: Document
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def document(self, margins: Margins, gate: str = "float64", network: Network = NETWORK, **more: Any) -> Document:
        """The document of a run that selected the layers in `margins`, and no others; `more` is of the outcome."""
        results = {}
        for name, margin in margins.items():
            # The last has the larger margin, which is the layer's.
            checks = (Check("largest difference", margin * 1e-10, 1e-9), Check("relative L2", margin * 1e-10, 1e-10))
            problem = "" if math.isfinite(margin) else "not finite"
            results[name] = LayerResult(gate, str(network), name, checks, problem)
        key = (gate, network)
        ran = {
            "networks": (network,),
            "results": {network: {gate: results}},
            "nodes": {key: dict.fromkeys(margins, "")},
        }
        ran |= {"explained": {key: _explain}, "observations": {}, "verdicts": []}
        return document(replace(self.outcome, **(ran | more)), self.provenance)

    def write(self, name: str, data: Document | Margins) -> str:
        """The path of a folder with that report, whose page matters nothing here."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        written = data if "schema" in data else self.document(data)
        (folder / "report.json").write_text(json.dumps(written))
        return str(folder)

    def diff(self, old: Document | Margins, new: Document | Margins, *options: str) -> tuple[int, str]:
        """The exit code, and what is said."""
        code = run(main, PROG, ["diff", self.write("old", old), self.write("new", new), *options])
        said = self.capsys.readouterr()
        return code, said.out + said.err


def _explain(layer: str) -> tuple[str, str]:
    return ("downstream", "behind conv0_bn") if layer == "cell_0.relu" else ("", "")


@pytest.fixture
def reports(outcome: Outcome, provenance: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Reports:
    return Reports(outcome, provenance, tmp_path, capsys)


def test_the_same_run_is_no_worse(reports: Reports) -> None:
    code, said = reports.diff(BEFORE, BEFORE)
    assert code == 0
    assert said.endswith("\nnothing got worse; 3 comparisons in both runs\n")
    assert "made with" not in said
    assert "margins that" not in said


FAILING = BEFORE | {"conv0_bn": 2.0, "cell_0.relu": 30.0}


def test_what_newly_fails_is_named(reports: Reports) -> None:
    """The culprit alone, and by their number those that it explains, which `--all` names."""
    code, said = reports.diff(BEFORE, FAILING)
    assert code == FAILED
    assert "\nnewly failing, the culprits first: 2\n" in said
    check = "relative L2: measured 2e-10, allowed 1e-10 (too far)"
    assert f"  {NETWORK} float64 conv0_bn: {check}; the margin was 0.5\n  and 1 more (--all shows them)\n" in said
    assert said.endswith("\nworse: 2 newly failing; 3 comparisons in both runs\n")
    _code, said = reports.diff(BEFORE, FAILING, "--all")
    assert f"  {NETWORK} float64 cell_0.relu: behind conv0_bn; the margin was 0.5\n" in said


def test_where_the_culprit_failed_before_what_it_explains_is_named(reports: Reports) -> None:
    _code, said = reports.diff(BEFORE | {"conv0_bn": 2.0}, FAILING)
    assert f"first: 1\n  {NETWORK} float64 cell_0.relu: behind conv0_bn; the margin was 0.5\n" in said


def test_a_culprit_comes_before_what_others_explain(reports: Reports) -> None:
    """Though it stands behind that in the network, as one of a weaker gate does."""

    def explain(layer: str) -> tuple[str, str]:
        return ("", "") if layer == "cell_0.relu" else ("repeated", "as it failed another gate")

    new = reports.document(FAILING, explained={("float64", NETWORK): explain})
    _code, said = reports.diff(BEFORE, new)
    assert f"first: 2\n  {NETWORK} float64 cell_0.relu: relative L2" in said


def test_what_passes_again_is_no_worse(reports: Reports) -> None:
    code, said = reports.diff(FAILING, BEFORE)
    assert code == 0
    assert "\npassing again: 2\n" in said
    assert f"  {NETWORK} float64 conv0_bn: the margin was 2, now 0.5\n" in said
    assert said.endswith("\nnothing got worse; 3 comparisons in both runs\n")


ROSE, FELL = "margins that rose by more than {} times: 1\n", "margins that fell by more than {} times: 1\n"


@pytest.mark.parametrize(
    ("before", "now", "factor", "title", "code"),
    [
        pytest.param(0.2, 0.5, "2", ROSE, FAILED, id="up"),
        pytest.param(0.2, 0.39, "2", "", 0, id="up by less than the factor"),
        pytest.param(0.2, 0.25, "1.2", ROSE, FAILED, id="up by more than a smaller factor"),
        pytest.param(0.2, 0.5, "3", "", 0, id="up by less than a larger factor"),
        pytest.param(0.5, 0.2, "2", FELL, 0, id="down"),
        pytest.param(0.39, 0.2, "2", "", 0, id="down by less than the factor"),
        pytest.param(0.0, 0.0, "1", "", 0, id="exact in both"),
        pytest.param(0.0, 0.021, "2", ROSE, FAILED, id="no longer exact"),
        pytest.param(0.0, 0.019, "2", "", 0, id="no longer exact, by rounding"),
        pytest.param(1e-5, 0.019, "2", "", 0, id="rounding in both"),
        pytest.param(0.021, 0.0, "2", FELL, 0, id="exact now"),
        pytest.param(2.0, 5.0, "2", ROSE, FAILED, id="failing, and worse"),
        pytest.param(5.0, 2.0, "2", FELL, 0, id="failing, and better"),
        pytest.param(math.inf, math.inf, "2", "", 0, id="nothing to compare in both"),
        pytest.param(2.0, math.inf, "2", ROSE, FAILED, id="nothing to compare any more"),
    ],
)
def test_a_margin_moves_by_more_than_the_factor(
    reports: Reports, before: float, now: float, factor: str, title: str, code: int
) -> None:
    found, said = reports.diff(BEFORE | {"conv0": before}, BEFORE | {"conv0": now}, f"--factor={factor}")
    assert found == code
    assert said.count("margins that ") == bool(title)
    assert title.format(factor) in said
    assert (f"  {NETWORK} float64 conv0: the margin was {before:.3g}, now {now:.3g} (" in said) == bool(title)
    assert ("; 3 comparisons in both runs, 1 of which fail in both\n" in said) == (before > 1)


def test_measured_and_allowed_are_said_of_a_margin_that_moved(reports: Reports) -> None:
    _code, said = reports.diff(BEFORE | {"conv0": 0.2}, BEFORE | {"conv0": 0.5})
    now = "relative L2: measured 5e-11, allowed 1e-10 (ok)"
    assert f"(2.5 times); {now}; before: {now.replace('5e-11', '2e-11')}\n" in said


def test_the_farthest_come_first_and_long_lists_are_cut(reports: Reports) -> None:
    before = {f"conv{number}": 0.02 for number in range(15)}
    now = {f"conv{number}": 0.05 + 0.01 * number for number in range(15)}
    for one, other in ((before, now), (now, before)):
        _code, said = reports.diff(one, other)
        shown = [line.split()[2] for line in said.splitlines() if ": the margin was" in line]
        assert shown == [f"conv{number}:" for number in range(14, 4, -1)]
        assert "\n  and 5 more (--all shows them)\n" in said
    _code, said = reports.diff(before, now, "--all")
    assert said.count(": the margin was") == 15
    assert "more" not in said.partition("rose by more")[2]


@pytest.mark.parametrize("gate", [*TRAINING_GATES, "exact-float32", "preprocess"])
def test_every_gate_is_compared(gate: str, reports: Reports) -> None:
    """Those of training, too, on a network that has room for its auxiliary head."""
    gates = TRAINING_GATES if gate in TRAINING_GATES else reports.outcome.gates
    old, new = (
        reports.document(margins, gate, Network("mobile", 97, 97), gates=gates) for margins in (BEFORE, FAILING)
    )
    code, said = reports.diff(old, new)
    assert code == FAILED
    assert f"  mobile-97 {gate} conv0_bn: relative L2" in said


def test_the_worst_margins_stand_side_by_side(reports: Reports) -> None:
    _code, said = reports.diff(BEFORE | {"conv0": 0.75}, FAILING)
    rows = [line.split() for line in said.splitlines()]
    assert ["network", "gate", "failed", "now", "worst", "margin", "now", "its", "layer", "now"] in rows
    assert [str(NETWORK), "float64", "0", "2", "0.75", "30", "cell_0.relu"] in rows


FEWER = {"conv0": 0.5, "conv0_bn": 0.5}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        pytest.param({}, "not selected, or not there", id="not selected"),
        pytest.param({"unobservable": {NETWORK: frozenset({"cell_0.relu"})}}, "unobservable", id="unobservable"),
    ],
)
def test_what_only_one_run_judged_is_named(reports: Reports, more: Document, why: str) -> None:
    """With why the other did not; it is neither worse nor better."""
    fewer = reports.document(FEWER, **more)
    code, said = reports.diff(BEFORE, fewer)
    assert code == 0
    assert f"\njudged in the old run alone: 1\n  {NETWORK} float64, 1 (new: {why}): cell_0.relu\n" in said
    assert said.endswith("\nnothing got worse; 2 comparisons in both runs\n")
    code, said = reports.diff(fewer, BEFORE)
    assert code == 0
    assert f"\njudged in the new run alone: 1\n  {NETWORK} float64, 1 (old: {why}): cell_0.relu\n" in said


def test_a_network_and_a_gate_that_one_run_lacks_are_named(reports: Reports) -> None:
    old = reports.document(BEFORE)
    other = reports.document(BEFORE, network=Network("large", 24, 32))
    gate = reports.document(BEFORE, "float32")["networks"][0]["gates"]
    more = old | {"networks": [old["networks"][0] | {"gates": old["networks"][0]["gates"][:-1] + gate[-1:]}]}
    more["networks"] += other["networks"]
    code, said = reports.diff(more, old)
    assert code == 0
    assert "\njudged in the old run alone: 6\n" in said
    assert f"  {NETWORK} float32, 3 (new: nothing was selected of this gate): conv0, conv0_bn, cell_0.relu\n" in said
    assert "  large-24x32 float64, 3 (new: no such network): conv0, conv0_bn, cell_0.relu\n" in said
    assert ["large-24x32", "float64", "0", "-", "0.5", "-"] in [line.split() for line in said.splitlines()]


def test_a_gate_that_no_longer_finishes_is_worse(reports: Reports) -> None:
    """As a run that was stopped leaves it: more was selected than was judged."""
    stopped = reports.document(FEWER, nodes={("float64", NETWORK): dict.fromkeys(BEFORE, "")})
    code, said = reports.diff(BEFORE, stopped)
    assert code == FAILED
    assert f"  {NETWORK} float64, 1 (new: this gate did not finish): cell_0.relu\n" in said
    assert said.endswith("\nworse: 1 of gates that did not finish; 2 comparisons in both runs\n")
    code, said = reports.diff(stopped, BEFORE)
    assert (code, "old: this gate did not finish" in said) == (0, True)


def test_what_fails_and_was_not_judged_before_is_worse(reports: Reports) -> None:
    code, said = reports.diff(FEWER, BEFORE | {"cell_0.relu": 3.0})
    assert code == FAILED
    assert f"\nfailing, and not judged before: 1\n  {NETWORK} float64 cell_0.relu: behind conv0_bn\n" in said
    assert "\nworse: 1 failing and not judged before; 2 comparisons in both runs\n" in said
    code, _said = reports.diff(BEFORE | {"cell_0.relu": 3.0}, FEWER)
    assert code == 0


OTHERWISE = {
    "versions": {"torch": "3", "tensorflow": "2"},
    "machine": {"cpu": "another CPU", "system": "a system", "threads": 1},
    "settings": ["TF32 off", "ATEN_CPU_CAPABILITY=default"],
    "candidate": "mypackage.models:make",
    "references": [{"label": "", "name": "golden", "sha256": "0" * 64, "recorded": {"seed": 1}, "path": "/a"}],
    "checkpoints": [{"variant": "mobile", "name": "a.ckpt", "sha256": "1" * 64}],
    "images": [{"name": "a.jpg", "path": "/a.jpg", "sha256": "2" * 64, "networks": ["x"], "thumbnail": "pixels"}],
}
DIFFERENCES = [
    "versions torch: 2; now 3",
    "machine cpu: a CPU; now another CPU",
    "references name: official; now golden",
    "settings TF32 off: none; now set",
    "settings ATEN_CPU_CAPABILITY: none; now default",
    "references recorded seed: none; now 1",
    "checkpoints mobile name: none; now a.ckpt",
    "checkpoints mobile sha256: none; now 111111111111",
    "images a.jpg sha256: none; now 222222222222",
    "candidate: none; now mypackage.models:make",
]


def test_what_the_runs_were_made_with_comes_before_all_else(reports: Reports) -> None:
    """Where it differs, and without what says where files lie."""
    old = reports.document(BEFORE)
    reports.provenance |= OTHERWISE
    _code, said = reports.diff(old, FAILING)
    lines = said.splitlines()
    assert lines[:2] == [
        "old: Parity in what was compared: 3 comparisons, none fails (pytest parity; 2026-01-01T00:00:00+00:00)",
        "new: No parity: 2 of 3 comparisons fail (pytest parity; 2026-01-01T00:00:00+00:00)",
    ]
    made_with = [line.removeprefix("made with: ") for line in lines[2 : lines.index("")]]
    assert made_with == DIFFERENCES


def test_what_has_nothing_in_common_is_refused(reports: Reports) -> None:
    """Another network, and another gate of the same one."""
    for other in (reports.document(BEFORE, network=Network("large", 24, 32)), reports.document(BEFORE, "float32")):
        code, said = reports.diff(BEFORE, other)
        assert code == USAGE_ERROR
        assert "new/report.json have no layer of the same network and gate in common: the one has" in said


def test_an_evaluation_alone_has_no_layers(reports: Reports) -> None:
    evaluated = reports.document({"validation (8 images)": 0.5}, "imagenet") | {"imagenet": {"networks": []}}
    code, said = reports.diff(BEFORE, evaluated)
    assert code == USAGE_ERROR
    assert "new/report.json has an evaluation on ImageNet, and no layers: it is layers that are compared\n" in said
    code, said = reports.diff(reports.document({}), BEFORE)
    assert code == USAGE_ERROR
    assert "old/report.json has no results (No verdict: nothing was compared), and no layers" in said


def damaged(data: Document, part: str, value: object) -> str:
    """A report whose float64 gate, or network, has something else in a place."""
    network = data["networks"][0]
    gate = next(gate for gate in network["gates"] if gate["gate"] == "float64")
    (gate if part in gate else network)[part] = value
    return json.dumps(data)


DAMAGES: dict[str, tuple[Callable[[Document], str], str]] = {
    "cut off": (lambda data: json.dumps(data)[:-20], "is no report of parity, or was cut off: it is no JSON"),
    "foreign": (lambda _data: '{"layers": []}', "is no report of parity: it has no schema"),
    "nested": (lambda _data: "[" * 100_000, "is no report of parity, or was cut off"),
    "another version": (
        lambda data: json.dumps(data | {"schema": "pnasnet-parity-report/2"}),
        f"its schema is pnasnet-parity-report/2, and this version of parity reads {SCHEMA}",
    ),
    "a section": (lambda data: json.dumps({**data, "provenance": []}), "is no report as parity writes it"),
    "a column": (lambda data: damaged(data, "margin", [0.5]), "is no report as parity writes it"),
    "a margin": (lambda data: damaged(data, "margin", [0.5, 0.5, "nan"]), "a part of it is missing (nan is no margin)"),
    "a number": (lambda data: damaged(data, "margin", [0.5, 0.5, None]), "is no report as parity writes it"),
    "names": (lambda data: damaged(data, "names", []), "a part of it is missing (list index out of range)"),
    "a part": (lambda data: damaged(data, "problem", 1), "is no report as parity writes it"),
}


@pytest.mark.parametrize("which", ["old", "new"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_report_is_refused(damage: str, which: str, reports: Reports) -> None:
    paths = {name: Path(reports.write(name, BEFORE)) for name in ("old", "new")}
    spoil, message = DAMAGES[damage]
    (paths[which] / "report.json").write_text(spoil(reports.document(BEFORE)))
    assert run(main, PROG, ["diff", *map(str, paths.values())]) == USAGE_ERROR
    said = reports.capsys.readouterr().err
    assert said.startswith(f"{PROG}: {paths[which] / 'report.json'}")
    assert message in said


def test_a_report_that_is_missing_is_refused(reports: Reports) -> None:
    there = reports.write("old", BEFORE)
    assert run(main, PROG, ["diff", there, str(reports.folder / "none")]) == USAGE_ERROR
    assert f"{reports.folder / 'none'}: there is no such file; pytest parity" in reports.capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["old"], "the following arguments are required: NEW"),
        (["old", "new", "--factor=0.5"], "argument --factor: 0.5: expected a number of at least 1"),
        (["old", "new", "--factor=nan"], "argument --factor: nan: expected a number of at least 1"),
        (["old", "new", "--factor=two"], "argument --factor: two: expected a number of at least 1"),
        (["old", "new", "other"], "unrecognized arguments: other"),
    ],
)
def test_a_bad_argument_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["diff", *arguments])
    assert ended.value.code == USAGE_ERROR
    assert f"{PROG} diff: {message}\n" in capsys.readouterr().err


def test_a_file_is_as_good_as_its_folder(reports: Reports) -> None:
    folder = Path(reports.write("old", BEFORE))
    assert main(["diff", str(folder), str(folder / "report.json")]) == 0


def test_the_page_of_a_report_in_a_folder_of_that_name(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reports.folder)
    write(reports.document(BEFORE), reports.folder / "diff")
    (reports.folder / "diff/report.html").unlink()
    assert main(["./diff"]) == 0
    assert (reports.folder / "diff/report.html").exists()


def test_a_fault_that_is_planted_between_two_real_runs_is_seen(
    tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reports that `pytest parity` wrote, by golden digests."""
    old, new = (str(tmp_path / name) for name in ("old", "new"))
    assert start_here(*GOLDEN, f"--report={old}")[0] == 0
    request.getfixturevalue("other_epsilon")
    assert start_here(*GOLDEN, f"--report={new}")[0] == 1
    assert [run(main, PROG, ["diff", *pair]) for pair in ((old, old), (old, new), (new, old))] == [0, FAILED, 0]
    said = capsys.readouterr().out
    assert "\nnewly failing, the culprits first: 2\n  mobile-97x131 exact-float32 conv0_bn: digests that differ" in said
    assert "\npassing again: 2\n  mobile-97x131 exact-float32 conv0_bn: the margin was inf, now 0\n" in said


@pytest.mark.slow
def test_whole_runs_are_compared(
    passing: Path, failing: Path, training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the layers of which one was planted, and of training, which has none of these."""
    code = run(main, PROG, ["diff", str(passing), str(failing)])
    said = capsys.readouterr().out
    assert code == FAILED
    culprit = "cell_3.comb_iter_0.left.separable_5x5_1.depthwise: elements that differ"
    assert f"\n  mobile-65 exact-float32 {culprit}" in said
    assert "judged in" not in said
    assert run(main, PROG, ["diff", str(training), str(training)]) == 0
    assert " comparisons in both runs, " in capsys.readouterr().out
    assert run(main, PROG, ["diff", str(passing), str(training)]) == USAGE_ERROR
