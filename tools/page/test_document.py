"""Whether the types by which the page's scripts are checked are those of report.json, as the code makes it."""

import json
from typing import Any

import numpy as np

from parity.core import compare
from parity.core.layers import Network
from parity.core.result import Check, Element, LayerResult
from parity.diagnosis.verdict import Culprit, Verdict
from parity.imagenet.record import Answer, Failure, Record
from parity.imagenet.summary import summarise
from parity.report.collect import Collector
from parity.report.columns import plain
from parity.report.document import Outcome, document
from parity.report.faults import faults
from parity.report.judgement import Run
from tf_reference.layers import IMAGES, Layer

from .conftest import Copy

Document = dict[str, Any]
NETWORK = Network("mobile", 24, 32)
NAME = str(NETWORK)
VERSIONS = {"torch": "2", "tensorflow": "2"}
# As a trace records it, and as golden digests do.
GOLDEN = {"versions": VERSIONS, "cpu": "", "threads": 1, "reference": "official", "seed": 0, "source_sha256": ""}
TRACE = GOLDEN | {
    "created": "",
    "checkpoint": None,
    "checkpoint_sha256": None,
    "images": {"a.jpg": ""},
    "environment": {},
}
ORIGIN = {"path": "", "version": "", "commit": ""}
PROVENANCE = {
    "versions": VERSIONS,
    "code": {"path": "", "commit": None},
    "machine": {"cpu": "", "system": "", "threads": 1},
    "settings": [],
    "candidate": None,
    "origin": ORIGIN,
    "references": [
        {"label": "", "name": "", "sha256": "", "origin": origin, "recorded": recorded}
        for origin, recorded in ((ORIGIN, None), (None, GOLDEN), (None, TRACE))
    ],
    "checkpoints": [{"variant": "mobile", "name": "", "sha256": None}],
    "images": [{"name": "a.jpg", "path": None, "sha256": "", "networks": [NAME], "thumbnail": None}],
    "seed": 0,
}
RIGHT = Answer((7, 1, 2, 3, 4), (5.0, 4.0, 3.0, 2.0, 1.0), (1.0, 4.5))
WRONG = Answer((1, 7, 2, 3, 4), (5.0, 4.5, 3.0, 2.0, 1.0), (-0.5, 4.0))


def results(collector: Collector) -> dict[str, dict[str, LayerResult]]:
    """Results that pass and fail, of all that a result can have, two of them with observations."""
    truth = np.random.default_rng(0).normal(size=(1, 6, 8, 4))
    measured = {}
    for name, values in {"conv0": truth, "final_layer.FC": truth[:, 0, 0]}.items():
        measured[name] = compare.float64(NAME, name, values + 1e-3, values)
        collector(measured[name], values + 1e-3, values)
    checks = (Check("relative L2", float("inf"), 1e-10),)
    element = Element((0, 1, 2, 3), 1.0, float("nan"), 2, 3)
    float32 = LayerResult("float32", NAME, "conv0", checks, "", element, ("a note",), norm=float("inf"), official=1.0)
    missing = LayerResult("structure", NAME, "conv0", problem="it is missing", reached=False)
    return {"structure": {"conv0": missing}, "float64": measured, "float32": {"conv0": float32}}


def verdict(replay: LayerResult) -> Verdict:
    culprit = Culprit("conv0", ("float64",), "operation", (replay,), ("a hint",), ("cell_0.relu",))
    return Verdict(NAME, (culprit,), {"final_layer.FC": ("conv0",)})


def evaluation() -> Document:
    """The evaluation of a network by both sides, on images on which they disagree, and of one by the port alone."""
    records = [Record(number, f"{number}.jpg", 7, RIGHT, WRONG, 1e-4, None) for number in range(2)]
    both = summarise(NAME, 3, ("official", "port"), records, [Failure(2, "2.jpg", "cannot be decoded")])
    alone = summarise(NAME, 1, ("port",), records[:1], [])
    networks = plain([both.as_dict(), alone.as_dict()])
    return {"header": [""], "limits": [""], "networks": networks, "thumbnails": {"0.jpg": ""}}


def whole_document() -> Document:
    collector = Collector()
    layers = {
        "conv0": Layer("conv0", "Conv2D", "", (None, 6, 8, 4), "float64", (IMAGES,)),
        "final_layer.FC": Layer("final_layer.FC", "BiasAdd", "", (None, 4), "float64", ("conv0",)),
    }
    judged = results(collector)
    outcome = Outcome(
        run=Run("pytest parity", "", "", "2026-01-01T00:00:00+00:00", 1.5, exit=0, tests=3),
        networks=(NETWORK,),
        layers={NETWORK: layers},
        results={NETWORK: judged},
        verdicts=[verdict(judged["float32"]["conv0"])],
        seconds={(NETWORK, "float64"): 0.5},
        nodes={("float64", NETWORK): {"conv0": "test[conv0]", "final_layer.FC": "another"}},
        images=frozenset({"a.jpg"}),
        observations=collector.observations,
        explained={("float64", NETWORK): lambda _layer: ("downstream", "behind conv0")},
        unobservable={NETWORK: frozenset({"cell_0.relu"})},
    )
    return document(outcome, PROVENANCE, imagenet=evaluation(), faults=faults())


def planted(text: str) -> dict[str, str]:
    """The document with a field by its former name, without one, with one more, and with a text for a number."""
    differences = {
        "renamed": ('"culprits": [', '"sources": ['),
        "lacking": (', "seed": 0}, "networks"', '}, "networks"'),
        "more": ('"labels": [', '"new": 1, "labels": ['),
        "other": ('"margin": ["inf"', '"margin": ["large"'),
    }
    documents = {}
    for name, (sound, faulty) in differences.items():
        assert sound in text
        documents[name] = text.replace(sound, faulty, 1)
    return documents


def test_the_types_are_those_of_a_document(copy: Copy) -> None:
    """Of the whole one; those with planted differences are refused, each of them."""
    sound = json.dumps(whole_document())
    documents = {"sound": sound, **planted(sound)}
    for name, text in documents.items():
        lines = ['import type { ReportData } from "./report.d.ts";', f"export const found: ReportData = {text};"]
        (copy.page / f"document-{name}.ts").write_text("\n".join(lines), encoding="utf-8")
    code, said = copy.check("types")
    assert code != 0
    refused = {name for name in documents if f"document-{name}.ts" in said}
    assert refused == documents.keys() - {"sound"}, said
