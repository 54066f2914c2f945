"""The official source is the pinned one, is fetched once, and leaves nothing importable behind."""

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tf_reference import official
from tf_reference.errors import InputError
from tf_reference.kinds import SLIM
from tf_reference.official import REQUIREMENT, Source, find

PAGE = "https://pypi.org/project/tf-object-detection/0.0.3/#files"
PINNED = "4cbb2cbe45d20f466cb1ae81eec5d8847d61bb1eb468c14657c0a6a121f90b42"


@pytest.fixture
def fresh(own_wheel: Path) -> Source:
    """The official source in a folder of its own, from which nothing was loaded yet."""
    return find()


@pytest.fixture
def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of subprocess.run is an error."""

    def refuse(*args: Any, **options: Any) -> None:
        pytest.fail(f"subprocess.run was called: {args}")

    monkeypatch.setattr(subprocess, "run", refuse)


def test_the_requirement_pins_the_known_hash() -> None:
    assert f"--hash=sha256:{PINNED}" in REQUIREMENT.read_text()


def test_official_is_the_pinned_wheel(own_wheel: Path) -> None:
    assert find() == find("official") == Source(own_wheel, PINNED)


def test_an_altered_wheel_is_refused(own_wheel: Path) -> None:
    """The message gives the file, both hashes, and where the right one is."""
    content = bytearray(own_wheel.read_bytes())
    content[len(content) // 2] ^= 1
    own_wheel.write_bytes(content)
    with pytest.raises(InputError, match="not the official source") as caught:
        find()
    sha256 = hashlib.sha256(content).hexdigest()
    for part in (str(own_wheel), PINNED, sha256, PAGE):
        assert part in str(caught.value)


def test_a_truncated_wheel_is_refused(own_wheel: Path) -> None:
    own_wheel.write_bytes(own_wheel.read_bytes()[:1000])
    with pytest.raises(InputError, match="not the official source"):
        find()


def test_a_wheel_that_may_not_be_read_is_not_called_altered(own_wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"the official source, cannot be read: Permission denied$"):
        find()


def test_without_wheel_and_index_the_file_and_its_address_are_named(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(InputError, match="could not be downloaded") as caught:
        find()
    wheel = "tf_object_detection-0.0.3-py3-none-any.whl"
    for part in ("No matching distribution", wheel, PINNED, PAGE, str(empty_cache / "official")):
        assert part in str(caught.value)
    assert list((empty_cache / "official").iterdir()) == []


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        ("/usr/bin/python: No module named pip", "No module named pip"),
        ("WARNING: Retrying after connection broken by 'No route': /x\nERROR: No matching distribution", "'No route'"),
        ("ERROR: OSError: [Errno 28] No space left on device", "No space left on device: make room"),
    ],
)
def test_why_pip_fails_is_said_in_one_line(
    complaint: str, reason: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pip itself is missing, it is not what is advised."""
    result = subprocess.CompletedProcess([], returncode=1, stdout="", stderr=complaint)
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: result)
    with pytest.raises(InputError, match="could not be downloaded") as caught:
        find()
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "-m pip" not in str(caught.value)


def test_pip_saving_another_file_is_an_error(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = subprocess.CompletedProcess([], returncode=0, stdout="", stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: result)
    with pytest.raises(InputError, match=f"pip saved another file name.*{PINNED}"):
        find()


def test_a_missing_wheel_is_fetched_by_hash(own_wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip is asked once, for the pinned requirement, into a folder from which it comes whole to its own."""
    content = own_wheel.read_bytes()
    calls = []
    own_wheel.unlink()

    def download(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        Path(command[-1], own_wheel.name).write_bytes(content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    assert find() == find() == Source(own_wheel, PINNED)
    assert len(calls) == 1
    assert {"--require-hashes", str(REQUIREMENT)} <= set(calls[0])
    assert Path(calls[0][-1]).parent == own_wheel.parent
    assert list(own_wheel.parent.iterdir()) == [own_wheel]


@pytest.mark.usefixtures("no_pip")
def test_with_the_wheel_in_the_cache_nothing_is_downloaded(own_wheel: Path) -> None:
    assert find().root == own_wheel


def test_a_requirement_without_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loose.txt").write_text("tf-object-detection==0.0.3\n")
    monkeypatch.setattr(official, "REQUIREMENT", tmp_path / "loose.txt")
    with pytest.raises(InputError, match="does not pin"):
        find()


def test_a_module_is_the_same_object_each_time(source: Source) -> None:
    assert source.load("nets.nasnet.pnasnet") is source.load("nets.nasnet.pnasnet")


def test_nothing_stays_importable(fresh: Source, tf: Any) -> None:
    path = list(sys.path)
    modules = {name: module for name, module in sys.modules.items() if name.startswith("tensorflow")}
    assert fresh.load("nets.nasnet.pnasnet").__name__ == "nets.nasnet.pnasnet"
    assert sys.path == path
    assert {name.split(".")[0] for name in sys.modules}.isdisjoint(SLIM.packages)
    assert all(sys.modules[name] is module for name, module in modules.items())
    assert "tensorflow.contrib" not in sys.modules
    assert sys.modules["tensorflow"] is tf


@pytest.mark.parametrize("name", ["nets", "nets.nasnet", "preprocessing"])
def test_nothing_is_found_by_name(name: str, fresh: Source) -> None:
    fresh.load("preprocessing.inception_preprocessing")
    assert importlib.util.find_spec(name.split(".")[0]) is None


@pytest.mark.parametrize("name", ["nets", "nets.mine", "preprocessing", "datasets", "tensorflow.contrib"])
def test_a_module_of_the_users_survives(name: str, fresh: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, mine)
    fresh.load("nets.nasnet.pnasnet")
    assert sys.modules[name] is mine


def test_a_failed_import_leaves_nothing_either(fresh: Source, tf: Any) -> None:
    """The message gives the source, the module and the reason."""
    path = list(sys.path)
    with pytest.raises(
        InputError, match=r"nets\.nothing cannot be imported: No module named 'nets\.nothing'"
    ) as caught:
        fresh.load("nets.nothing")
    assert str(fresh.root) in str(caught.value)
    assert sys.path == path
    assert sys.modules["tensorflow"] is tf
    assert "nets" not in sys.modules


@pytest.mark.parametrize(
    "reference", ["", "slim", "slim:", "Official", "official:", "wheel:/tmp", "pnasnet-tf:", "/some/path"]
)
def test_an_unknown_reference_is_refused(reference: str) -> None:
    with pytest.raises(InputError, match=r"unknown reference.*expected official, slim:PATH, pnasnet-tf:PATH") as caught:
        find(reference)
    assert repr(reference) in str(caught.value)


@pytest.mark.parametrize("folder", [".", "nowhere", "file"])
def test_a_folder_without_the_networks_is_refused(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"not a slim checkout: it lacks nets/nasnet/pnasnet\.py") as caught:
        find(f"slim:{tmp_path / folder}")
    assert "research/slim" in str(caught.value)


def test_an_incomplete_checkout_lists_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "nets/nasnet").mkdir(parents=True)
    (tmp_path / "nets/nasnet/nasnet.py").touch()
    with pytest.raises(InputError, match=r"it lacks nets/nasnet/pnasnet\.py, nets/nasnet/nasnet_utils\.py\. Give"):
        find(f"slim:{tmp_path}")
