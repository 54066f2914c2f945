"""Every command that takes weights says the same of what cannot be used, in one sentence, before it does anything."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import finetune
from parity.convert.__main__ import main as convert
from parity.core import command
from parity.imagenet.__main__ import main as evaluate
from pnasnet_torch.__main__ import main as classify
from tests.parity.starting import start_here

PHOTOGRAPH = Path(__file__).parents[2] / "parity/photographs/chelsea.jpg"
UNUSABLE = {
    "missing": "there is no checkpoint|there are no weights at",
    "a folder": "should hold weights, and holds none",
    "empty": "is empty",
    "cut": "its end is missing or damaged",
    "a web page": "is an HTML page",
    "another network": "holds no weights of PNASNet-5",
}
# Each takes the path of weights and a folder to write in, and returns the exit code.
COMMANDS: dict[str, Callable[[str, Path], int]] = {
    "pytest parity": lambda path, folder: parity(f"--checkpoint={path}", f"--report={folder}/report"),
    "convert": lambda path, folder: command.run(convert, "convert", [path, str(folder / "out.h5")]),
    "imagenet": lambda path, folder: command.run(
        evaluate, "imagenet", ["evaluate", f"--checkpoint={path}", f"--imagenet={folder}", f"--output={folder}/results"]
    ),
    "classify": lambda path, _: classify(["classify", str(PHOTOGRAPH), f"--weights={path}"]),
    "finetune": lambda path, folder: finetune.main([path, f"--output={folder}/finetuned", "--steps=1"]),
}
CODES = {"pytest parity": 4, "convert": 4, "imagenet": 4, "classify": 1, "finetune": 2}


def parity(*arguments: str) -> int:
    """Run `pytest parity` in this process, print what it says, and return its exit code."""
    code, said = start_here("-k", "conv0", *arguments)
    print(said)
    return code


def place(kind: str, folder: Path) -> Path:
    """Put what cannot be used into the folder, and return its path."""
    path = folder / "weights.pth"
    content = {"empty": b"", "a web page": b"<!DOCTYPE html><html><body>Sign in"}
    if kind == "a folder":
        path.mkdir()
    elif kind in content:
        path.write_bytes(content[kind])
    elif kind != "missing":
        torch.save({"fc.weight": torch.zeros(30, 30)}, path)
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:2000])
    return path


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_cannot_be_used_is_told_in_a_sentence(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("given", "work"):
        (tmp_path / folder).mkdir()
    path = place(kind, tmp_path / "given")
    code = COMMANDS[name](str(path), tmp_path / "work")
    said = "".join(capsys.readouterr())
    assert code == CODES[name]
    assert re.search(UNUSABLE[kind], said)
    assert str(path) in said
    assert list((tmp_path / "work").iterdir()) == []
