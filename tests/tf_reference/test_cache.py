"""A cache that cannot be written costs time and no result: something else takes its place, and that is said once."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.limits import file_size_limit
from tf_reference import checkpoint, synthetic
from tf_reference.cache import cached_file
from tf_reference.errors import InputError
from tf_reference.graph import GraphSpec
from tf_reference.graph_cache import GraphKind
from tf_reference.official import Source, find


@pytest.fixture
def unwritable(empty_cache: Path) -> Path:
    """A cache that cannot be made, as a file is in its way; that stops root, too."""
    empty_cache.touch()
    return empty_cache


def test_a_file_is_where_it_is_or_can_be_written(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cached_file("graphs", "a")
    assert path == empty_cache / "graphs/a"
    path.touch()
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    assert cached_file("graphs", "a") == path


def test_what_cannot_be_written_there_lasts_as_long_as_the_process(unwritable: Path) -> None:
    with pytest.warns(UserWarning, match="cannot be written, and so is not used.*PNASNET_PARITY_CACHE names"):
        path = cached_file("graphs", "a")
    # Another warning would be an error here.
    assert cached_file("graphs", "b").parent == path.parent
    path.write_text("made once")
    assert cached_file("graphs", "a").read_text() == "made once"


def test_without_any_folder_the_cache_is_named(unwritable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_options: object) -> None:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    with pytest.raises(InputError, match=r"cache/graphs cannot be written: No usable temporary directory"):
        cached_file("graphs", "a")


def test_the_wheel_of_a_cache_that_is_read_alone(own_wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    assert find().root == own_wheel


def test_a_graph_is_used_though_the_disk_is_full(source: Source, empty_cache: Path) -> None:
    from tf_reference.compat import tensorflow

    graph_def = tensorflow().compat.v1.GraphDef()
    spec = GraphSpec("mobile", 65, 65)
    with (
        file_size_limit(16),
        pytest.warns(UserWarning, match="is not kept for the next run: .*graph cannot be written: File too large"),
    ):
        assert GraphKind("graph", (), lambda *_given: ({"a": 1}, graph_def)).get(source, spec) == ({"a": 1}, graph_def)
    assert list((empty_cache / "graphs").iterdir()) == []


def test_a_checkpoint_is_whole_or_not_there(source: Source, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"conv0/weights": np.ones((100, 100), np.float32)}
    monkeypatch.setattr(synthetic, "synthetic_variables", lambda *_arguments: variables)
    wanted = (source, "mobile", 65, 0, ())
    with file_size_limit(1000), pytest.raises(InputError, match=r"ckpt cannot be written: File too large: raise"):
        synthetic.synthetic_checkpoint(*wanted)
    assert list((empty_cache / "checkpoints").iterdir()) == []
    prefix = synthetic.synthetic_checkpoint(*wanted)
    assert checkpoint.read(prefix).keys() == variables.keys()
    assert len(list(prefix.parent.iterdir())) == 2
