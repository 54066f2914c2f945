"""The commands of the documents do what they say: each is run in one folder, in the order in which a reader would.

The files that the documents name are made here, with random weights. Options are put behind some commands, so that they
take seconds: a smaller image, fewer layers.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from parity.core.specification import PHOTOGRAPHS
from tests.test_docs import COMMANDS_OF_DOCUMENTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[1]
RELEASE = "pnasnet-5_large_2017_12_13"
SMALL = "--image-size 64"
STEM = f"{SMALL} -k cell_stem_0"
CANDIDATE = "pytest parity --candidate mypackage.models:pnasnet5large"
# The least that has room for an auxiliary head.
TRAINED = "--image-size 97"
PORT = """
from pnasnet_torch import pnasnet_large

def pnasnet5large():
    return pnasnet_large()
"""
# Commands in the order in which a reader would type them, and what is put behind each.
RUN = {
    "pnasnet-parity imagenet sample data/sample --variant mobile": "",
    "pytest --full-imagenet --imagenet data/sample/val --partial --checkpoint data/sample/mobile.ckpt": "--limit 8",
    "pytest --full-imagenet --imagenet PATH --checkpoint PATH": "--partial --limit 8 --output DIR",
    "pnasnet-parity imagenet report DIR [DIR ...]": "",
    "python examples/finetune.py data/sample/mobile.ckpt": "--steps 2 --every 1 --batch-size 4",
    f"pnasnet-convert {RELEASE}.tar.gz large.safetensors": "",
    f"pnasnet-convert {RELEASE}.tar.gz timm/model.safetensors --names timm --classes 1000": "",
    "pnasnet-convert PNASNet-5_Large.pth large.ckpt --verify": "",
    "python -m pnasnet_torch classify photo.jpg --weights large.safetensors": "",
    f"python -m pnasnet_torch classify photo.jpg --weights {RELEASE}.tar.gz": "",
    f"pytest parity --checkpoint {RELEASE}.tar.gz": STEM,
    "pytest parity --collect-only -q": "",
    'pytest parity -k "cell_1.comb_iter_0"': SMALL,
    'pytest parity -k "large-331 and test_float64"': "-k 'large-331 and test_float64 and cell_stem_0'",
    "pytest parity -k cell_5": "-k 'cell_5.comb_iter_0 and mobile' --image-size 64",
    "pytest parity --report DIR": f"{STEM} --variant mobile",
    "pnasnet-parity report diff OLD NEW": "",
    "pytest parity --record parity.h5": f"{STEM} --variant mobile",
    "pytest parity --reference parity.h5": "",
    "pnasnet-parity trace info parity.h5": "",
    "pnasnet-parity trace diff parity.h5 other.h5": "",
    "pytest parity -k exact --reference golden": "-k 'exact and cell_stem_0'",
    "pytest parity --candidate onnxruntime --variant mobile": STEM,
    "pytest parity --candidate pytorchcv --image-size 331": "-k cell_stem_0",
    "pnasnet-parity align mypackage.models:pnasnet5large > mine.toml": "",
    f"{CANDIDATE} --variant large --reproduce faults": STEM,
    f"{CANDIDATE} --adapter mine.toml": f"{STEM} --variant large",
    f"{CANDIDATE} --candidate-weights mine.pth --checkpoint {RELEASE}.tar.gz": STEM,
    "pytest --pyargs parity --candidate mypackage.models:pnasnet5large --variant large": STEM,
    "pytest --pyargs parity -k exact --reference golden --candidate mypackage.models:pnasnet5large": (
        "-k 'exact and cell_stem_0' --variant large"
    ),
    "pytest parity --training": f"{TRAINED} --variant mobile -k 'loss or cell_stem_0'",
    'pytest parity --training --variant mobile -k "gradient and cell_5"': TRAINED,
}
# Commands that are not run here, and where they are or why they cannot be.
ELSEWHERE = {
    "python -m pip install": "every environment of tox installs the project; `tox run -e wheel` installs the wheel",
    "tox run -e": "continuous integration runs each",
    "python -m build": "`tox run -e wheel` builds both distributions",
    "python -m twine": "belongs to a release",
    "torchrun": "takes two machines; tests/parity/imagenet/test_evaluation.py has torchrun's workers on one",
    "git bisect": "takes a history; tests/parity/plugin/test_bisect.py runs it on one with a planted fault",
    "pytest parity --candidate pnasnet-pytorch:PATH": "takes another project's checkout (docs/peers.md)",
    "pytest parity --candidate pnasnet-tf:PATH": "takes another project's checkout (docs/peers.md)",
}


def test_every_command_is_run_here_or_elsewhere() -> None:
    commands = {line for _, line in COMMANDS_OF_DOCUMENTS}
    left = {line for line in commands - RUN.keys() if not line.startswith(tuple(ELSEWHERE))}
    assert left == set()
    assert RUN.keys() <= commands


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder, with the files that the documents name."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "mypackage").mkdir()
    (folder / "mypackage/models.py").write_text(PORT)
    (folder / "mine.toml").write_text('names = "ours"\n')
    (folder / "timm").mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    shutil.copy(PHOTOGRAPHS / "chelsea.jpg", folder / "photo.jpg")
    run(folder, "pnasnet-parity imagenet sample random --variant large")
    release = folder / RELEASE
    release.mkdir()
    for path in sorted((folder / "random").glob("large.ckpt.*")):
        shutil.move(path, release / path.name.replace("large.ckpt", "model.ckpt"))
    with tarfile.open(folder / f"{RELEASE}.tar.gz", "w:gz", compresslevel=1) as archive:
        for path in sorted(release.iterdir()):
            archive.add(path, path.name)
    run(folder, f"pnasnet-convert {RELEASE}.tar.gz PNASNet-5_Large.pth --names pnasnet-pytorch")
    run(folder, f"pnasnet-convert {RELEASE}.tar.gz mine.pth")
    return folder


def run(folder: Path, command: str, *more: str) -> None:
    """Run a command as a reader types it, in `folder`, with the programs of this environment; it has to end with 0."""
    # What it prints goes to a file, where a shell would put it there.
    command, _, target = command.partition(" > ")
    program, *arguments = shlex.split(command)
    words = [str(Path(sys.executable).with_name(program)), *arguments, *more]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
    if target:
        (folder / target).write_text(done.stdout)


def as_typed(command: str) -> str:
    """Return the command with the reader's own paths in the place of the document's words for them.

    Outside of a checkout `pytest parity` is `pytest --pyargs parity`.
    """
    command = command.replace("pytest parity", "pytest --pyargs parity").replace(" [DIR ...]", "")
    command = command.replace("--imagenet PATH", "--imagenet data/sample/val")
    return command.replace("--checkpoint PATH", "--checkpoint data/sample/mobile.ckpt")


@pytest.mark.parametrize("command", RUN)
def test_a_command_of_the_documents_works(command: str, folder: Path) -> None:
    run(folder, as_typed(command), *shlex.split(RUN[command]))
    if command.endswith("--report DIR"):
        for run_of in ("OLD", "NEW"):
            shutil.copytree(folder / "DIR", folder / run_of)
    if command.endswith("--record parity.h5"):
        shutil.copy(folder / "parity.h5", folder / "other.h5")
