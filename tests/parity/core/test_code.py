"""Which code runs is known, and what of it an evaluation's records depend on."""

import importlib
import importlib.metadata
import shutil
import subprocess
from pathlib import Path

import pytest

from parity.core import code
from parity.core.code import digest_of_logic, logic
from parity.imagenet.evaluate import CODE, PREPROCESSING

ROOT = Path(__file__).parents[3]
TEXT = '''"""A module."""

# A comment.
def double(x: float) -> float:
    """Return twice x."""
    return 2 * x  # exact
'''


def test_logic_is_without_words() -> None:
    assert logic(TEXT) == "def double(x: float) -> float:\n    return 2 * x"
    assert logic('x = "# no comment"\n') == 'x = "# no comment"'


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the packages, and let their code be the copy's."""
    for package in code.PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.jpg", "*.json")
        )
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "parity")
    return tmp_path


# A line of each module, and another in its place.
CHANGES = {
    "parity/imagenet/answers.py": ("MEASURED_EVERY = 250", "MEASURED_EVERY = 500"),
    "parity/imagenet/record.py": ("TOP = 5", "TOP = 6"),
    "parity/imagenet/models.py": ('LOGITS = "final_layer.FC"', 'LOGITS = "final_layer.predictions"'),
    "pnasnet_torch/padding.py": ("max(", "min("),
    "pnasnet_torch/operations.py": ("BATCH_NORM_EPSILON = 1e-3", "BATCH_NORM_EPSILON = 1e-5"),
    "pnasnet_torch/preprocess.py": ("CENTRAL_FRACTION = 0.875", "CENTRAL_FRACTION = 0.9"),
    "tf_reference/run.py": ("def assign(", "def assigned("),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_records_depend_on_changes_their_fingerprint(name: str, copy: Path) -> None:
    before = digest_of_logic(*CODE)
    text = (copy / name).read_text()
    assert CHANGES[name][0] in text
    (copy / name).write_text(text.replace(*CHANGES[name]))
    assert digest_of_logic(*CODE) != before


@pytest.mark.parametrize("name", ["pnasnet_torch/hub.py", "parity/imagenet/report.py", "parity/convert/change.py"])
def test_what_they_do_not_depend_on_changes_nothing(name: str, copy: Path) -> None:
    before = digest_of_logic(*CODE), digest_of_logic(*PREPROCESSING)
    with (copy / name).open("a") as file:
        file.write("\nMORE = 1\n")
    assert (digest_of_logic(*CODE), digest_of_logic(*PREPROCESSING)) == before


def test_words_change_nothing(copy: Path) -> None:
    before = digest_of_logic(*CODE)
    path = copy / "parity/imagenet/record.py"
    path.write_text(path.read_text().replace('"""What is kept', '"""All that is kept') + "# the end\n")
    assert digest_of_logic(*CODE) == before


def test_an_installation_from_git_knows_its_commit(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one from an index knows none; a repository around it is not asked."""

    class Distribution:
        def read_text(self, name: str) -> str | None:
            return '{"vcs_info": {"commit_id": "0123456789abcdef"}}' if name == "direct_url.json" else None

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _name: Distribution())
    assert code.commit() == "0123456789ab"
    monkeypatch.setattr(Distribution, "read_text", lambda _self, _name: None)
    assert code.commit() == ""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a module in a folder of it."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/users_of_code.py").write_text("__version__ = '1.2'\n")
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(tmp_path))
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        subprocess.run([*git, *command], check=True)
    return tmp_path


def test_code_of_others_is_named_by_place_version_and_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(repository / "models")
    importlib.import_module("users_of_code")
    origin = code.origin_of("users_of_code.nets")
    path = repository / "models/users_of_code.py"
    assert (origin.path, origin.version, len(origin.commit)) == (str(path), "1.2", 12)
    path.write_text("")
    changed = code.origin_of("model", repository)
    assert str(changed) == f"in {repository} (commit {origin.commit}, changed)"


def test_of_what_is_only_installed_in_a_repository_no_commit_is_told(repository: Path) -> None:
    (repository / "env/lib/site-packages/timm").mkdir(parents=True)
    assert code.commit_of(repository / "env/lib/site-packages/timm") == ""
    assert str(code.origin_of("no_such_module_at_all")) == "not installed"
