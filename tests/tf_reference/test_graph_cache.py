"""The cache gives what was built for the same spec, official source and versions, and never another graph."""

import importlib.metadata
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from tf_reference import graph as graph_module
from tf_reference import graph_cache
from tf_reference.compat import tensorflow
from tf_reference.errors import InputError
from tf_reference.graph import REFERENCE, GraphSpec, ReferenceGraph, describe, reference_graph
from tf_reference.official import Source

# Another value for every field of a spec.
CHANGES: dict[str, Any] = {
    "variant": "mobile",
    "height": 65,
    "width": 65,
    "dtype": "float32",
    "training": True,
    "num_classes": 8,
    "hparams": (("num_cells", 4),),
}
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "one byte": lambda content: content[:1],
    "truncated": lambda content: content[:-1],
    "flipped in the checksum": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "flipped in the middle": lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    "flipped at the end": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "longer": lambda content: content + b"\0",
}


@pytest.fixture
def builds(graph: ReferenceGraph, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[GraphSpec]:
    """What was built rather than taken from the cache; to save time, always the small network."""
    built: list[GraphSpec] = []

    def build(source: Source, spec: GraphSpec) -> tuple[dict[str, Any], Any]:
        built.append(spec)
        return describe(graph), graph.graph_def

    monkeypatch.setattr(graph_module, "REFERENCE", replace(REFERENCE, build=build))
    return built


def entry(cache: Path) -> Path:
    """Return the only entry of the cache."""
    (path,) = (cache / "graphs").iterdir()
    return path


def test_a_second_call_builds_nothing_and_gives_the_same(
    builds: list[GraphSpec], source: Source, small: GraphSpec, graph: ReferenceGraph
) -> None:
    first = reference_graph(source, small)
    second = reference_graph(source, small)
    assert builds == [small]
    assert first == second == graph
    assert list(second.layers) == list(graph.layers)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_built_anew(
    damage: str,
    builds: list[GraphSpec],
    source: Source,
    small: GraphSpec,
    empty_cache: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a warning that names the file; afterwards the entry is as it was."""
    reference_graph(source, small)
    path = entry(empty_cache)
    content = path.read_bytes()
    path.write_bytes(DAMAGES[damage](content))
    rebuilt = reference_graph(source, small)
    assert builds == [small, small]
    assert rebuilt == reference_graph(source, small)
    assert entry(empty_cache) == path
    assert path.read_bytes() == content
    assert f"{path} is damaged" in caplog.text


def test_each_field_is_changed_once() -> None:
    assert list(CHANGES) == [field.name for field in fields(GraphSpec)]


@pytest.mark.parametrize("name", CHANGES)
def test_another_spec_is_another_entry(
    name: str, builds: list[GraphSpec], source: Source, small: GraphSpec, empty_cache: Path
) -> None:
    changed = replace(small, **{name: CHANGES[name]})
    for spec in (small, changed, small, changed):
        assert reference_graph(source, spec).spec == spec
    assert builds == [small, changed]
    assert len(list((empty_cache / "graphs").iterdir())) == 2


def test_another_source_is_another_entry(builds: list[GraphSpec], source: Source, small: GraphSpec) -> None:
    for fingerprint in (source.fingerprint, "another", source.fingerprint):
        reference_graph(Source(source.root, fingerprint), small)
    assert builds == [small, small]


@pytest.mark.parametrize("package", ["tensorflow", "tf-slim", "tf-keras"])
def test_another_version_below_is_another_entry(
    package: str, builds: list[GraphSpec], source: Source, small: GraphSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference_graph(source, small)
    version = importlib.metadata.version
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0" if name == package else version(name))
    reference_graph(source, small)
    assert builds == [small, small]


def test_a_package_under_another_name_and_one_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow's builds for one kind of machine are called tensorflow-cpu and the like."""

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    assert graph_cache._version("tensorflow") == tensorflow().__version__
    with pytest.raises(InputError, match="needs tf-slim: python -m pip install 'pnasnet-parity"):
        graph_cache._version("tf-slim")


def test_a_tensorflow_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages that do not fit each other raise whatever they raise."""

    def fails(_name: str) -> None:
        raise AttributeError("_ARRAY_API not found")

    monkeypatch.setattr("importlib.import_module", fails)
    with pytest.raises(InputError, match=r"cannot be imported \(AttributeError: _ARRAY_API not found\): python -m pip"):
        tensorflow.__wrapped__()


def test_without_tensorflow_nothing_is_built_anew(
    builds: list[GraphSpec], source: Source, small: GraphSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the cache is sound: it only cannot be read."""

    def fails() -> None:
        raise InputError("TensorFlow cannot be imported")

    reference_graph(source, small)
    monkeypatch.setattr("tf_reference.compat.tensorflow", fails)
    with pytest.raises(InputError, match="TensorFlow cannot be imported"):
        reference_graph(source, small)
    assert builds == [small]
