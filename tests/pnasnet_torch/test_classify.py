"""One line gives a network with its preprocessing, and a command tells what is in a photograph."""

import io
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from pnasnet_torch import from_pretrained
from pnasnet_torch.__main__ import main
from pnasnet_torch.classes import NAMES, WNIDS, class_names
from pnasnet_torch.preprocess import load_image

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS = sorted((ROOT / "parity/photographs").glob("*.jpg"))[:2]
LEAST = "19"


@pytest.fixture(scope="module")
def prefix(
    mobile: dict[str, np.ndarray],
    write_v2: Callable[[Path, Mapping[str, np.ndarray]], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A checkpoint whose last layer gives class 282 (slim's number) the most, and 7 the next."""
    bias = np.zeros(1001, np.float32)
    bias[282], bias[7] = 60, 58
    path = tmp_path_factory.mktemp("weights") / "model.ckpt"
    write_v2(path, mobile | {"final_layer/FC/biases": bias})
    return path


def test_from_pretrained_gives_network_and_preprocessing(prefix: Path) -> None:
    model, preprocess = from_pretrained(prefix)
    images = preprocess(PHOTOGRAPHS)
    assert not model.training
    assert torch.equal(images, preprocess([str(path) for path in PHOTOGRAPHS]))
    assert np.array_equal(images[1].permute(1, 2, 0).numpy(), load_image(PHOTOGRAPHS[1], 224, 224))
    with torch.inference_mode():
        assert model.predict(preprocess(PHOTOGRAPHS[0])).argmax().item() == 282


def test_another_dtype_is_that_of_both(prefix: Path) -> None:
    model, preprocess = from_pretrained(prefix, torch.float64)
    assert model.conv0.weight.dtype == preprocess(PHOTOGRAPHS[0]).dtype == torch.float64


def test_classify_prints_the_most_probable_classes(prefix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = list(map(str, PHOTOGRAPHS))
    assert main(["classify", *images, "--weights", str(prefix), "--top", "2", "--image-size", "65"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0], lines[3]] == images
    assert lines[1].endswith("%  tabby, tabby cat")
    assert lines[2].endswith("%  stingray")
    assert len(lines) == 6


def test_a_bad_image_is_named_and_the_others_are_classified(
    prefix: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    images = [str(tmp_path / "notes.txt"), str(tmp_path / "none.jpg"), str(PHOTOGRAPHS[0])]
    assert main(["classify", *images, "--weights", str(prefix), "--image-size", "65"]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == images[2]
    assert len(said.out.splitlines()) == 6
    assert "notes.txt is not a JPEG" in said.err
    assert "none.jpg cannot be read" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["classify", "a.jpg"], 2, "https://storage.googleapis.com/download.tensorflow.org/models/pnasnet-5_mobile"),
        (["classify", "--weights", "w"], 2, "IMAGE"),
        (["classify", "a.jpg", "--weights", "w", "--top", "0"], 2, "--top"),
        ([], 2, "COMMAND"),
    ],
)
def test_a_command_that_is_none(arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == code
    assert said in capsys.readouterr().err


def test_weights_and_sizes_that_cannot_be_used(prefix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = str(PHOTOGRAPHS[0])
    assert main(["classify", image, "--weights", str(prefix.with_name("none"))]) == 1
    assert "there is no checkpoint" in capsys.readouterr().err
    assert main(["classify", image, "--weights", str(prefix), "--image-size", "18"]) == 1
    assert "needs at least 19 pixels" in capsys.readouterr().err


def test_a_name_that_the_terminal_has_no_letters_for(
    prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are shown by their numbers."""
    shutil.copy(PHOTOGRAPHS[0], tmp_path / "naïve.jpg")
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
    assert main(["classify", str(tmp_path / "naïve.jpg"), "--weights", str(prefix), "--image-size", "65"]) == 0
    assert shown.getvalue().startswith(f"{tmp_path}/na\\xefve.jpg\n".encode())


def test_nobody_reads_on(prefix: Path) -> None:
    """As behind `| head`, it ends in silence."""
    command = f"{sys.executable} -m pnasnet_torch classify {PHOTOGRAPHS[0]} --weights {prefix} --image-size 65"
    shell = ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"]
    done = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("130\n", "")


def test_it_runs_as_a_module() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pnasnet_torch", "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "classify" in result.stdout
    assert "pnasnet-5_large_2017_12_13.tar.gz" in result.stdout


def test_class_names_are_in_the_order_of_the_sorted_ids() -> None:
    assert sorted(WNIDS) == [*WNIDS]
    assert len(WNIDS) == len(NAMES) == len(set(WNIDS)) == 1000
    assert (WNIDS[0], NAMES[0], NAMES[281]) == ("n01440764", "tench, Tinca tinca", "tabby, tabby cat")


def test_class_names_by_the_number_of_classes() -> None:
    assert class_names(1001)[:2] == ("background", NAMES[0])
    assert class_names(1000) == NAMES
    assert class_names(3) == ("class 0", "class 1", "class 2")
