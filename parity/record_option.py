"""`--record`, checked, or a usage error that says what to give instead."""

from pathlib import Path

import pytest

from parity.options import TRACE_SUFFIXES
from parity.reference_option import one_running
from tf_reference.errors import InputError


def record_of(config: pytest.Config) -> Path | None:
    """The trace that is to be written, if any."""
    given = config.getoption("record")
    if not given:
        if config.getoption("record_compression") != "none":
            raise pytest.UsageError("--record-compression is for --record FILE.h5, which is not given")
        return None
    if config.getoption("full_imagenet"):
        raise pytest.UsageError("--record records what pytest parity compares: it cannot go with --full-imagenet")
    one_running(config, "--record")
    if not given.endswith(TRACE_SUFFIXES) or Path(given).is_dir():
        raise pytest.UsageError(f"--record {given}: expected the name of a file that ends in .h5")
    _refuse_other_file(Path(given))
    return Path(given)


def _refuse_other_file(path: Path) -> None:
    """Weights of the port may be called .h5, too: only a trace is replaced by a new one."""
    from parity.trace.store import Reader

    try:
        if path.exists():
            Reader(path).close()
    except InputError as error:
        raise pytest.UsageError(f"--record {path}: this file is no trace, and is not replaced: {error}") from error
