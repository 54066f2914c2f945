"""The document: its schema, and that it holds what the run did."""

import base64
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from parity.core.layers import port_layers
from parity.core.result import LayerResult
from parity.report.columns import number
from parity.report.document import SCHEMA, Outcome, document, whole
from parity.report.measure import BINS, POINTS
from parity.report.pictures import DIFFERENCES, VALUES, palette

from .conftest import CHAIN, NETWORK

Document = dict[str, Any]


def gate(data: Document, name: str) -> Document:
    found: Document = next(gate for gate in data["networks"][0]["gates"] if gate["gate"] == name)
    return found


def test_it_is_plain_data(data: Document) -> None:
    """JSON without extensions gives it back as it is."""
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["schema"] == SCHEMA == "pnasnet-parity-report/3"


def test_results_are_columns(data: Document) -> None:
    """In the network's order, each as long as there are results."""
    rows, names = gate(data, "float64"), data["networks"][0]["names"]
    assert [names[name] for name in rows["name"]] == list(CHAIN)
    assert rows["passed"] == "100"
    assert rows["explained"] == {"2": ["downstream", "behind conv0_bn"]}
    assert {len(rows[column]) for column in ("name", "passed", "margin", "checks", "norm", "official", "test")} == {3}
    label, measured, allowed = rows["checks"][1][0]
    assert rows["labels"][label] == "relative L2"
    assert allowed == 1e-10 < measured


def test_a_test_is_named_as_pytest_names_it(data: Document) -> None:
    rows = gate(data, "float64")
    assert rows["tests"][rows["test"][0]] + CHAIN[0] + "]" == f"parity/test_float64.py::test_float64[{NETWORK}-conv0]"


def test_the_verdict_names_layers_by_number(data: Document) -> None:
    verdict, names = data["networks"][0]["verdict"], data["networks"][0]["names"]
    assert names[verdict["culprits"][0]["name"]] == "conv0_bn"
    assert {names[int(name)]: [names[row] for row in behind] for name, behind in verdict["downstream"].items()} == {
        "cell_0.relu": ["conv0_bn"]
    }


def test_what_was_seen_is_there(data: Document) -> None:
    """Histograms and points of each layer, and pictures as PNG whose index is the level."""
    seen = gate(data, "float64")["observed"]
    assert seen["row"] == [0, 1, 2]
    assert [len(counts) for counts in seen["counts"]] == [BINS] * 3
    assert [[len(levels) for levels in points] for points in seen["points"]] == [[POINTS, POINTS]] * 3
    picture = seen["closeups"]["2"]["maps"]["difference"]
    image = Image.open(io.BytesIO(base64.b64decode(picture["png"])))
    assert (image.mode, image.size) == ("P", (8, 6))
    assert image.getpixel((3, 2)) == 254
    assert picture["high"] == pytest.approx(1e-2)


def test_gates_that_did_not_run_are_there(data: Document) -> None:
    """With how many comparisons they would have made, and none that were."""
    rows = gate(data, "exact-float32")
    assert (rows["whole"], rows["selected"], rows["name"]) == (len(port_layers("mobile")), 0, [])
    assert data["judgement"]["kind"] == "no parity"
    assert any(text.startswith("Only a part was selected") for text in data["judgement"]["limits"])


def test_whole_counts_names_once() -> None:
    """The structure gate judges conv0 as a layer and as a block, with one result."""
    counts = whole(NETWORK, ["a.jpg", "b.jpg"])
    assert counts["preprocess"] == 2
    assert counts["structure"] == len(port_layers("mobile")) + 13


def test_numbers_that_json_lacks_are_text(outcome: Outcome, provenance: Document) -> None:
    """A layer that could not be compared has no margin to speak of."""
    broken = LayerResult("float64", str(NETWORK), "conv0", problem="not finite: the candidate has nan at [0]")
    results = {NETWORK: {"float64": dict(outcome.results[NETWORK]["float64"]) | {"conv0": broken}}}
    rows = gate(document(replace(outcome, results=results), provenance), "float64")
    assert rows["margin"][0] == "inf"
    assert rows["problem"] == {"0": broken.problem}
    assert [number(value) for value in (float("nan"), float("-inf"), None, 1 / 3)] == ["nan", "-inf", None, 0.333333]


def test_a_run_that_judged_no_layer_is_a_document(outcome: Outcome, provenance: Document) -> None:
    empty = replace(outcome, layers={}, results={}, verdicts=[], seconds={}, nodes={}, observations={}, explained={})
    data = document(empty, provenance)
    assert data["networks"][0]["layers"] == {"kind": [], "shape": [], "inputs": []}
    assert data["judgement"]["kind"] == "unfinished"
    assert data["judgement"]["words"] == "No verdict: nothing was compared"


@pytest.mark.parametrize("anchors", [VALUES, DIFFERENCES])
def test_palettes_are_told_apart_without_colour(anchors: tuple[str, ...]) -> None:
    """Values get lighter all the way; of differences both directions get darker, and no two levels are far apart."""
    colours = np.frombuffer(palette(anchors), np.uint8).reshape(256, 3)[:255]
    light = colours @ [0.2126, 0.7152, 0.0722]
    steps = np.diff(light if anchors == VALUES else light[:128])
    assert steps.min() > -0.6
    assert abs(light[0] - light[-1]) < 30 or anchors == VALUES
    assert np.abs(np.diff(colours.astype(int), axis=0)).max() < 12
