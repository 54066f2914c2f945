"""What cannot be used is said before anything is judged, and whose error one is."""

import re
import shutil
from pathlib import Path

import pytest

from parity.core.specification import PHOTOGRAPHS
from parity.plugin import cases, examining
from parity.plugin.options import given
from tests.limits import locked
from tests.parity.plugin.test_options import parse
from tests.parity.starting import USAGE_ERROR, start_here

SMALL = ("--variant=mobile", "--image-size=65", "--threads=1")
# A user's module that warns, and whose model changes what is pinned.
USERS = """
import warnings
warnings.warn("a library will change", FutureWarning)
def model():
    import torch
    from pnasnet_torch import pnasnet_mobile
    torch.use_deterministic_algorithms(False)
    return pnasnet_mobile()
def raises():
    raise RuntimeError("no weights file")
"""


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "users_of_examining.py").write_text(USERS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "users_of_examining", raising=False)
    return "users_of_examining"


def test_an_image_that_is_none_is_named_before_the_first_is_judged(tmp_path: Path) -> None:
    shutil.copy(PHOTOGRAPHS / "chelsea.jpg", tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes((PHOTOGRAPHS / "coffee.jpg").read_bytes()[:200])
    code, said = start_here(*SMALL, f"--images={tmp_path}", "-k", "preprocess")
    assert code == USAGE_ERROR
    assert f"ERROR: --images: {tmp_path / 'b.jpg'} is not a sound JPEG or PNG image: jpeg::Uncompress failed" in said
    assert "passed" not in said


def test_listing_the_items_examines_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    code, said = start_here(*SMALL, f"--images={tmp_path}", "-k", "preprocess", "--co", "-q")
    assert code == 0, said


def test_a_candidate_that_raises_is_refused(users: str) -> None:
    code, said = start_here(*SMALL, f"--candidate={users}:raises", "-k", "conv0")
    assert code == USAGE_ERROR
    assert f"ERROR: --candidate: {users}:raises() raises RuntimeError: no weights file" in said


def test_what_a_candidate_changes_is_put_back_and_its_warnings_change_nothing(users: str) -> None:
    """Though the user turns warnings into errors."""
    # Here the suite is imported already, which pytest warns of.
    chosen = ("-k", "conv0_bn and structure", "-Werror", "-Wignore::pytest.PytestAssertRewriteWarning", "-v")
    code, said = start_here(*SMALL, f"--candidate={users}:model", *chosen)
    assert code == 0, said
    assert said.count("FutureWarning: a library will change") == 1
    assert f"parity: {users}:model changed deterministic_debug_mode from 2 to 0: put back each time its code" in said


def test_a_trace_has_to_have_room_for_the_values_that_are_selected() -> None:
    options = parse(*SMALL)
    (network,) = options.networks
    layers = frozenset({"conv0", "final_layer.FC"})
    # conv0 has 32 channels of 32x32 pixels, and the last layer 1001 classes.
    assert examining._least_of_trace(options, {("float64", network): layers}) == 8 * (32 * 32 * 32 + 1001) // 2
    assert examining._least_of_trace(options, {("structure", network): layers}) == 0


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_images_that_may_not_be_read(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "iterdir", refuse)
    (tmp_path / "a.jpg").touch()
    place = tmp_path if kind == "folder" else tmp_path / "a.jpg"
    with pytest.raises(pytest.UsageError, match=f"--images {place}: this cannot be read: Permission denied"):
        parse(f"--images={place}")


@pytest.mark.parametrize("option", ["--report={}/r", "--record={}/t.h5", "--reference={}/t.h5", "--reference=slim:{}"])
def test_a_place_that_may_not_be_looked_into(option: str, tmp_path: Path) -> None:
    with locked(tmp_path):
        code, said = start_here(*SMALL, "-k", "conv0", "--co", option.format(tmp_path))
    assert code == USAGE_ERROR
    assert re.search(rf"^ERROR: {tmp_path}/\S+: Permission denied$", said, re.MULTILINE), said


def test_an_image_of_a_folder_that_is_not_there_or_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with locked(tmp_path / "a.jpg"), pytest.raises(pytest.UsageError, match=r"a\.jpg: this cannot be read: Permission"):
        parse(f"--images={tmp_path}")
    (tmp_path / "b.png").symlink_to("nowhere")
    with pytest.raises(pytest.UsageError, match=r"b\.png: this cannot be read: No such file"):
        parse(f"--images={tmp_path}")


class Broken:
    """A plugin in which a hook of the suite fails, or one of its own."""

    def __init__(self, own: bool) -> None:
        self.own = own

    def pytest_collection_modifyitems(self, config: pytest.Config) -> None:
        if self.own:
            raise RuntimeError("planted")
        given(config, "no-such-option")


@pytest.mark.parametrize("own", [True, False])
def test_a_report_is_asked_for_of_errors_of_the_suite_alone(own: bool) -> None:
    code, said = start_here(*SMALL, "-k", "conv0_bn", "--co", plugins=[Broken(own)])
    assert code == pytest.ExitCode.INTERNAL_ERROR
    assert ("parity: this is an error of pnasnet-parity itself" in said) != own


class Keywords:
    """A plugin that keeps the words by which `-k` finds the items of each case."""

    def __init__(self) -> None:
        self.missing: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for case, item in zip(cases.cases(items), items, strict=True):
            self.missing += {*map(str, case)} - {*item.listextrakeywords()}


def test_every_name_that_is_printed_can_be_typed(tmp_path: Path) -> None:
    shutil.copy(PHOTOGRAPHS / "chelsea.jpg", tmp_path / "café.jpg")
    keywords = Keywords()
    code, said = start_here(*SMALL, f"--images={tmp_path}", "-k", "café.jpg", "--co", "-q", plugins=[keywords])
    assert code == 0, said
    assert "1/3646 tests collected" in said
    assert keywords.missing == []
