"""`pytest parity` as a user starts it."""

import gc
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

ROOT = Path(__file__).parents[2]
USAGE_ERROR = int(pytest.ExitCode.USAGE_ERROR)


def start(folder: Path, *arguments: str, plugin: str = "") -> tuple[int, str]:
    """Runs `pytest parity` with arguments from the root: the exit code and all that it says, without a traceback."""
    (folder / "extra_plugin.py").write_text(plugin)
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "pytest", "-p", "extra_plugin", "parity", *arguments]
    environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "200"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert "Traceback (most recent call last)" not in said
    assert "INTERNALERROR" not in said
    return done.returncode, said


def start_here(*arguments: str, plugins: Sequence[object] = ()) -> tuple[int, str]:
    """Run the same in this process, which takes a third of the time: both frameworks are imported already.

    The official network runs here, too, where tests reach it.
    """
    said = io.StringIO()
    # At its end, that plugin walks five times through all that this process holds, which takes longer than most tests.
    without = ("-p", "no:cacheprovider", "-p", "no:unraisableexception")
    command = [str(ROOT / "parity"), f"--rootdir={ROOT}", *without, *arguments]
    gc.freeze()
    here = patch("parity.plugin.configuring._official_process", lambda _config: None)
    with here, redirect_stdout(said), redirect_stderr(said):
        code = pytest.main(command, plugins)
    return int(code), said.getvalue()
