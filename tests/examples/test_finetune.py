"""Fine-tuning as a user starts it: it learns, it continues when it was killed, and it says what it cannot use."""

import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch

import finetune
from pnasnet_torch import from_pretrained
from pnasnet_torch.__main__ import main as classify

ROOT = Path(__file__).parents[2]
SIZE = ("--image-size=33", "--batch-size=4", "--threads=1")
Command = Callable[..., list[str]]


@pytest.fixture
def command(checkpoint: Path, folder: Path) -> Command:
    """The arguments of a run of six short steps that writes to `output`."""

    def made(output: Path, *more: str) -> list[str]:
        few = ("--steps=6", "--every=2", f"--photographs={folder}")
        return [str(checkpoint), f"--output={output}", *SIZE, *few, *more]

    return made


def state(output: Path) -> tuple[dict[str, torch.Tensor], bytes]:
    """All that a run ended with: the tensors of the last checkpoint, and the result."""
    loaded = torch.load(output / finetune.STATE, weights_only=True)
    slots = {f"{n}.{name}": slot for n, slots in loaded["optimizer"]["state"].items() for name, slot in slots.items()}
    averages = {f"average.{name}": value for name, value in loaded["averages"].items()}
    return loaded["model"] | slots | averages | {"random": loaded["random"]}, (output / finetune.RESULT).read_bytes()


@pytest.mark.slow
def test_training_learns_what_there_is_to_learn(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four whole photographs are told apart; given each with every label, from which nothing can be learnt, they are
    not. How far a loss falls depends on the processor; that the one falls far below the other does not."""
    monkeypatch.setattr(finetune, "window", lambda pixels, _generator: pixels)
    settings = ("--image-size=33", "--batch-size=8", "--steps=24", "--learning-rate=0.1")

    def median_loss(labels: Callable[[int], Iterable[int]]) -> float:
        """Of the second half of the steps, with these labels for each photograph."""
        training = finetune.Training(finetune.parser().parse_args([str(checkpoint), f"--output={tmp_path}", *settings]))
        photographs = training.data.training[:]
        training.data.training[:] = [(pixels, label) for pixels, own in photographs for label in labels(own)]
        return statistics.median([training.advance() for _ in range(24)][12:])

    assert median_loss(lambda own: [own]) < 0.75 * median_loss(lambda _own: range(4))


@pytest.mark.slow
def test_killed_it_continues_and_ends_with_the_same_bits(command: Command, tmp_path: Path) -> None:
    assert finetune.main(command(tmp_path / "whole")) == 0
    script = [sys.executable, str(ROOT / "examples/finetune.py"), *command(tmp_path / "killed")]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any(line.startswith("step 2:") for line in process.stdout)
        process.kill()
    assert process.returncode == -signal.SIGKILL  # it was still running
    said = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert said.startswith(("continues behind step 2\n", "continues behind step 4\n"))
    (expected, result), (found, again) = state(tmp_path / "whole"), state(tmp_path / "killed")
    assert result == again
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_it_ends_with_a_network_for_the_classes(
    command: Command, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run again, it only says the result."""
    assert finetune.main(command(tmp_path)) == 0
    first, (_, result) = capsys.readouterr().out.splitlines(), state(tmp_path)
    assert any("right before: " in line for line in first)
    assert finetune.main(command(tmp_path)) == 0
    assert capsys.readouterr().out.splitlines() == ["continues behind step 6", *first[-2:]]
    assert state(tmp_path)[1] == result
    model, preprocess = from_pretrained(tmp_path)
    assert (model.config.num_classes, preprocess.image_size) == (2, (33, 33))
    assert classify(["classify", str(ROOT / "parity/photographs/coffee.jpg"), "--weights", str(tmp_path)]) == 0
    assert sorted(line.split("%  ")[1] for line in capsys.readouterr().out.splitlines()[1:]) == ["cat", "cup"]
    before = from_pretrained(checkpoint).model.state_dict()
    changed = [name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])]
    assert len(changed) == len(before)  # every weight and every statistic was trained


def test_a_checkpoint_of_another_run_and_a_damaged_one_are_refused(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune.main(command(tmp_path, "--steps=1")) == 0
    assert finetune.main(command(tmp_path, "--seed=1")) == 2
    assert "another run (steps was 1, is 6; seed was 0, is 1)" in capsys.readouterr().err
    content = (tmp_path / finetune.STATE).read_bytes()
    for damaged in (b"", content[:1000], content[: len(content) // 2], b"notes"):
        (tmp_path / finetune.STATE).write_bytes(damaged)
        assert finetune.main(command(tmp_path)) == 2
        assert "is damaged: move it elsewhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--photographs=none"], "none: there is no such folder"),
        (["--photographs={folder}/cat"], "holds 0 folders: expected at least two"),
        (["--image-size=18"], "--image-size 18: this network needs at least 19 pixels"),
        (["--learning-rate=1e30"], "try a lower --learning-rate"),
    ],
)
def test_arguments_that_cannot_be_used(
    arguments: list[str], said: str, command: Command, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [argument.format(folder=folder) for argument in arguments]
    assert finetune.main(command(folder.parent / "output", *more)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_files_that_cannot_be_used(command: Command, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = folder.parent / "output"
    (folder / "cup/0.png").write_text("no image")
    assert finetune.main(command(output)) == 2
    assert "0.png is not a JPEG or PNG image" in capsys.readouterr().err
    for path in (folder / "cup").iterdir():
        path.unlink()
    assert finetune.main(command(output)) == 2
    assert "cup holds 0 images: expected at least two" in capsys.readouterr().err
    assert finetune.main([str(folder / "none.ckpt")]) == 2
    assert "there is no checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["--steps=0", "--batch-size=1", "--learning-rate=0", "--seed=-1", "--every=x"])
def test_a_command_that_is_none(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        finetune.main(["mobile.ckpt", argument])
    assert caught.value.code == 2
    assert argument.partition("=")[0] in capsys.readouterr().err
