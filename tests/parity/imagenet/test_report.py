"""Merging workers' files: what belongs together, and what does not."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from parity.imagenet.options import expectation
from parity.imagenet.record import Answer, Record
from parity.imagenet.report import merge, networks_in, write_figures
from parity.imagenet.store import Store
from tf_reference.errors import InputError

FINGERPRINT = {"network": "mobile-224", "sides": "official port"}
RIGHT = Answer((7, 1, 2, 3, 4), (5.0, 4.0, 3.0, 2.0, 1.0), (1.0, 4.5))


def worker(folder: Path, rank: int, images: int = 6, fingerprint: dict[str, str] = FINGERPRINT) -> Path:
    """A file of one of two workers, with its three images."""
    path = folder / "mobile-224" / f"worker-{rank}-of-2.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(Store(path, fingerprint, images, "a machine")) as store:
        store.add([Record(i, f"{i}", 7, RIGHT, RIGHT, 1e-5, 1e-5) for i in range(rank, 6, 2)], [])
    return path


def test_workers_of_two_machines_are_merged(tmp_path: Path) -> None:
    for rank in range(2):
        worker(tmp_path / str(rank), rank)
    (files,) = networks_in([tmp_path / "0", tmp_path / "1"]).values()
    found = merge(files)
    assert (found.network, found.count, found.evaluated) == ("mobile-224", 6, 6)
    assert found.result()


def test_a_missing_worker_is_missed(tmp_path: Path) -> None:
    assert not merge([worker(tmp_path, 0)]).result()


def test_of_runs_over_several_numbers_of_images_the_largest_is_meant(tmp_path: Path) -> None:
    """A first run with --limit does not make a later one look complete."""
    paths = [worker(tmp_path, 0), worker(tmp_path, 1, images=4)]
    assert merge(paths).count == 6
    assert not merge([*paths, worker(tmp_path / "later", 1, images=8)]).result()


def test_images_behind_the_limit_do_not_count(tmp_path: Path) -> None:
    paths = [worker(tmp_path, rank) for rank in range(2)]
    assert merge(paths, 4).evaluated == 4
    assert merge(paths, 4).result()


def test_other_fingerprints_are_refused(tmp_path: Path) -> None:
    paths = [worker(tmp_path, 0), worker(tmp_path, 1, fingerprint=FINGERPRINT | {"torch": "1"})]
    with pytest.raises(InputError, match="torch: 1 there, none now"):
        merge(paths)


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no results: expected NETWORK/worker"):
        networks_in([tmp_path])


def test_the_json_has_all_figures(tmp_path: Path) -> None:
    found = merge([worker(tmp_path, rank) for rank in range(2)])
    write_figures([found], {"mobile-224": expectation("1.0,1.0")}, tmp_path / "result.json")
    (data,) = json.loads((tmp_path / "result.json").read_text())
    assert data["port"]["top_1"] == {
        "correct": 6,
        "count": 6,
        "percent": 100.0,
        "wilson_95": pytest.approx([0.6097, 1.0], abs=1e-4),
    }
    assert data["same_best_class"]["correct"] == 6
    assert data["flips"]["top_5"] == {"official_only": 0, "port_only": 0, "mcnemar_p": 1.0}
    assert data["verdict"]["passed"] is True
