"""What the wheel can do for somebody without a checkout: `tox run -e wheel` runs it where nothing else is installed.

Each step is a command as a user types it, in an empty folder. Prints what each takes, and exits with 1 at the first
that does not do what it should.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

# A user's own port, with the names of ours; FAULT is a line that makes it wrong.
PORT = """
from pnasnet_torch import pnasnet_mobile

def model():
    made = pnasnet_mobile()
    FAULT
    return made
"""
FAULT = "made.get_submodule('cell_5.comb_iter_0.left.bn_sep_5x5_1').eps = 1e-5"
# A user's tests, which must not notice that the suite is installed.
TESTS = """
import os, sys

def test_nothing_of_parity_is_here(pytestconfig):
    assert {name for name in sys.modules if name.partition(".")[0] == "parity"} == {
        "parity", "parity.plugin", "parity.plugin.entry"
    }
    assert not {"numpy", "tensorflow", "torch"} & sys.modules.keys()
    assert "TF_ENABLE_ONEDNN_OPTS" not in os.environ
"""
GOLDEN = ("pytest", "--pyargs", "parity", "-k", "cell_5 and not large", "--reference", "golden")


class Check:
    """Runs commands in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(self, command: Sequence[str], code: int, *expected: str) -> str:
        """Run a command, which has to end with this code and to say all that is expected (regular expressions)."""
        program = Path(sys.executable).with_name(command[0])
        started = time.perf_counter()
        done = subprocess.run(
            [program, *command[1:]], cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        said = done.stdout + done.stderr
        missing = [words for words in expected if not re.search(words, said)]
        print(f"{time.perf_counter() - started:6.1f} s  exit {done.returncode}  {' '.join(command)}", flush=True)
        if done.returncode != code or missing or "Traceback (most recent call last)" in said:
            sys.exit(f"{said}\nexpected exit {code}, and to be said: {missing or 'all was'}")
        return said


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        check = Check(folder)
        place = check.run(("python", "-c", "import parity; print(parity.__file__)"), 0)
        assert "site-packages" in place, f"the wheel is not what is imported: {place}"
        (folder / "sound.py").write_text(PORT.replace("FAULT", "pass"))
        (folder / "faulty.py").write_text(PORT.replace("FAULT", FAULT))
        (folder / "users").mkdir()
        (folder / "users/test_users.py").write_text(TESTS)

        check.run(("pytest", "users"), 0, "1 passed")
        check.run(
            ("pytest", "--pyargs", "parity", "-k", "cell_5", "--reference", "golden"), 0, r"= gates =", r"\d+ passed"
        )
        check.run((*GOLDEN, "--candidate", "sound:model"), 0, r"sound:model shows 726 of 726 layers", r"\d+ passed")
        check.run(
            (*GOLDEN, "--candidate", "faulty:model"),
            1,
            r"cell_5\.comb_iter_0\.left\.bn_sep_5x5_1: not replayed",
            r"a closer look: pytest --pyargs parity -k",
        )
        live = (
            "--variant",
            "mobile",
            "--image-size",
            "64",
            "-k",
            "cell_5.comb_iter_0.left",
            "--candidate",
            "faulty:model",
        )
        check.run(
            ("pytest", "--pyargs", "parity", *live, "--report", "report"),
            1,
            r"cell_5\.comb_iter_0\.left\.bn_sep_5x5_1: operation",
            r"it gives: epsilon 1e-05",
            r"report\.html",
        )
        check.run(("pnasnet-parity", "imagenet", "sample", "sample", "--variant", "mobile"), 0)
        evaluation = ("--imagenet", "sample/val", "--checkpoint", "sample/mobile.ckpt", "--image-size", "64")
        check.run(
            ("pytest", "--full-imagenet", *evaluation, "--partial", "--limit", "24"),
            0,
            r"1 passed",
            r"all figures: imagenet-results",
        )
        check.run(("pnasnet-convert", "sample/mobile.ckpt", "mobile.safetensors"), 0, r"read back: the same bits")
        check.run(("pnasnet-parity", "convert", "mobile.safetensors", "back.ckpt"), 0, r"read back: the same bits")
        check.run(("pnasnet-parity", "trace", "info", "none.h5"), 4, r"there is no trace at none\.h5")
    print("the wheel does all that")


if __name__ == "__main__":
    main()
