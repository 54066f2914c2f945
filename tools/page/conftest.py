"""A copy of the page's scripts, in which faults can be planted, with the commands that check it."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "parity/report/page"
SETTINGS = ("package.json", "tsconfig.json", "biome.json")


class Copy:
    """A folder like the project's, with the page and its checks alone."""

    def __init__(self, folder: Path) -> None:
        self.page = folder / "parity/report/page"
        self.checks = folder / "tools/page"
        shutil.copytree(PAGE, self.page)
        self.checks.mkdir(parents=True)
        for name in SETTINGS:
            shutil.copy(HERE / name, self.checks)
        (self.checks / "node_modules").symlink_to(HERE / "node_modules")

    def plant(self, file: str, sound: str, faulty: str) -> None:
        """Replace a text of a file, which is there once."""
        path = self.page / file
        text = path.read_text(encoding="utf-8")
        assert text.count(sound) == 1, f"{sound} is there {text.count(sound)} times in {file}"
        path.write_text(text.replace(sound, faulty), encoding="utf-8")

    def check(self, script: str) -> tuple[int, str]:
        """Run a script of package.json, as `tox run -e lint` does: its exit code, and what it says."""
        npm = shutil.which("npm")
        assert npm, "npm is not there: tox run -e lint installs it"
        done = subprocess.run([npm, "run", "--silent", script], cwd=self.checks, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    if not (HERE / "node_modules").is_dir():
        pytest.fail("the checks are not installed: npm ci --prefix tools/page", pytrace=False)
    return Copy(tmp_path)
