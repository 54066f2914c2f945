"""The network in parts gives what it gives at once, and holds no more than it may."""

from math import prod

import numpy as np
import pytest

from tf_reference.graph import ReferenceGraph
from tf_reference.layers import Layer
from tf_reference.parts import Part, parts_of
from tf_reference.run import OfficialRun

Layers = dict[str, np.ndarray]


def chain(*rows: tuple[str, int, tuple[str, ...]]) -> dict[str, Layer]:
    """Layers by name, with so many elements for each image, and what feeds them."""
    return {name: Layer(name, "Relu", f"{name}:0", (None, size), "float32", inputs) for name, size, inputs in rows}


FORKED = chain(
    ("a", 4, ("images",)),
    ("b", 4, ("a",)),
    ("c", 4, ("a",)),
    ("d", 9, ("b", "c")),
    ("e", 1, ("d", "images")),
)


def test_a_part_is_given_what_earlier_ones_computed_for_it() -> None:
    assert parts_of(FORKED, FORKED.keys(), 8) == [
        Part(("a", "b"), ()),
        Part(("c",), ("a",)),
        Part(("d",), ("b", "c")),  # larger than a part may be
        Part(("e",), ("d",)),
    ]


def test_what_is_wanted_alone_is_all_in_one_part() -> None:
    """Of the layers before it only the size of what is wanted counts, and nothing behind it is computed."""
    assert parts_of(FORKED, {"d"}, 9) == [Part(("d",), ())]
    assert parts_of(FORKED, {"c"}, 1) == [Part(("c",), ())]
    assert parts_of(FORKED, set(), 9) == parts_of(FORKED, {"other"}, 9) == []


def test_what_a_later_part_is_given_is_computed_though_nobody_wants_it() -> None:
    assert parts_of(FORKED, {"b", "d"}, 8) == [Part(("b", "c"), ()), Part(("d",), ("b", "c"))]


@pytest.mark.parametrize("limit", [1, 2000, 30_000, 10**9])
def test_of_the_official_graph_no_part_has_too_much(graph: ReferenceGraph, limit: int) -> None:
    parts = parts_of(graph.layers, graph.layers.keys(), limit)
    assert [name for part in parts for name in part.computed] == list(graph.layers)
    computed: set[str] = set()
    for part in parts:
        assert computed >= set(part.given)
        computed.update(part.computed)
        sizes = [prod(size or 1 for size in graph.layers[name].shape[1:]) for name in part.computed]
        assert len(sizes) == 1 or sum(sizes) <= limit
    assert (len(parts) == 1) == (limit == 10**9)


@pytest.mark.parametrize(
    "names",
    [None, ["conv0", "final_layer.predictions"], ["cell_0.comb_iter_0.combine.add", "cell_stem_1.cell_output.concat"]],
    ids=["all", "ends", "some"],
)
def test_in_parts_each_layer_has_the_same_bits(
    names: list[str] | None,
    graph: ReferenceGraph,
    variables: Layers,
    images: np.ndarray,
    expected: Layers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the order of the graph; about four parts of the whole network."""
    wanted = graph.layers.keys() if names is None else names
    monkeypatch.setattr("tf_reference.run.PART", sum(value.nbytes for value in expected.values()) / 4)
    with OfficialRun(graph, threads=1) as official:
        official.assign(variables)
        values = dict(official.values(images, frozenset(wanted)))
    assert list(values) == [name for name in graph.layers if name in wanted]
    for name, value in values.items():
        assert value.tobytes() == expected[name].tobytes()
