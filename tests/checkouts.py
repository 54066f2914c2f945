"""Checkouts of each kind, made of the pinned source: its text, in their layout, with something replaced in it."""

import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

Substitutions = Sequence[tuple[str, str]]
SLIM = ("nets/__init__.py", *(f"nets/nasnet/{name}.py" for name in ("__init__", "pnasnet", "nasnet", "nasnet_utils")))
# pnasnet-tf: the files of the pinned source that each is made of. One module for two, which know each other by name.
FLAT = {
    "pnasnet.py": ("nets/nasnet/pnasnet.py",),
    "cell.py": ("nets/nasnet/nasnet_utils.py", "nets/nasnet/nasnet.py"),
    "utils.py": ("preprocessing/inception_preprocessing.py",),
}
TO_FLAT: dict[str, Substitutions] = {
    "pnasnet.py": [(r"^from nets\.nasnet import (\w+)$", r"import cell as \1")],
    "cell.py": [
        (r"^from __future__ .*$", ""),
        (r"^from nets\.nasnet import nasnet_utils$", "import sys\nnasnet_utils = sys.modules[__name__]"),
    ],
    "utils.py": [],
}
VARIABLE = "PNASNET_PARITY_PNASNET_TF"


def slim(wheel: Path, root: Path, substitutions: Substitutions = ()) -> Path:
    """The folder research/slim, with the networks alone."""
    return _write(wheel, root, {name: (name,) for name in SLIM}, dict.fromkeys(SLIM, substitutions))


def flat(wheel: Path, root: Path, substitutions: Substitutions = ()) -> Path:
    """The pinned source laid out as a pnasnet-tf checkout: three modules at the top, which import each other."""
    return _write(wheel, root, FLAT, {name: [*TO_FLAT[name], *substitutions] for name in FLAT})


def pnasnet_tf() -> Path:
    """A real pnasnet-tf checkout, for the tests of its own text; where there is none, they are skipped."""
    if VARIABLE not in os.environ:
        pytest.skip(
            f"needs the folder of a pnasnet-tf checkout in {VARIABLE}: git clone https://github.com/chenxi116/PNASNet.TF"
        )
    return Path(os.environ[VARIABLE])


def _write(wheel: Path, root: Path, files: dict[str, tuple[str, ...]], substitutions: dict[str, Substitutions]) -> Path:
    with zipfile.ZipFile(wheel) as pinned:
        for name, parts in files.items():
            text = "".join(pinned.read(part).decode() for part in parts)
            for pattern, replacement in substitutions[name]:
                text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return root
