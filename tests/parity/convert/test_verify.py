"""The gates find what a conversion did wrong, whichever way its weights went."""

import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.convert import verify as verifying
from parity.convert.change import changed
from parity.convert.request import NotVerifiedError
from parity.convert.verify import evaluation_variables, verify
from parity.core import weights as given_weights
from parity.core.layers import Network
from pnasnet_torch.formats import write_file
from pnasnet_torch.source import Weights, read_weights
from pnasnet_torch.targets import OURS
from pnasnet_torch.weights import outline, store
from tf_reference import checkpoint

SMALL = Network("mobile", 65, 65)
Run = Callable[..., tuple[int, str, str]]


@pytest.mark.slow
@pytest.mark.parametrize("classes", [1001, 1000])
def test_a_sound_conversion_passes(classes: int, weights: Weights, capsys: pytest.CaptureFixture[str]) -> None:
    verify(weights, changed(weights, OURS, classes, False), SMALL)
    output = capsys.readouterr().out
    for gate in ("structure", "float64", "float32"):
        assert f"mobile-65  {gate}" in output
    assert "FAILED" not in output


def test_a_fault_is_found_and_named(weights: Weights, capsys: pytest.CaptureFixture[str]) -> None:
    """Two filters of one convolution are exchanged, which no shape shows."""
    name = "cell_1.1x1.weight"
    faulty = weights.state[name].copy()
    faulty[[0, 1]] = faulty[[1, 0]]
    with pytest.raises(NotVerifiedError, match=r"not put in place\nmobile-65: 1 culprit") as caught:
        verify(weights, replace(weights, state={**weights.state, name: faulty}), SMALL)
    assert "cell_1.1x1: operation" in str(caught.value)
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.slow
def test_another_number_of_classes_is_found(weights: Weights) -> None:
    """In the weights that the official network gets."""
    result = changed(weights, OURS, 1000, False)
    last_left_out = weights.state["final_layer.FC.bias"][:-1]
    shifted = replace(result, state={**result.state, "final_layer.FC.bias": last_left_out})
    with pytest.raises(NotVerifiedError, match=r"final_layer\.FC: operation"):
        verify(weights, shifted, SMALL)


def test_official_variables_of_a_checkpoint_are_tensorflow_s_own(
    synthetic: Path, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of an archive."""
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for file in synthetic.parent.glob(f"{synthetic.name}.*"):
            archive.add(file, f"deep/{file.name}")
    # What the port's reader gives cannot be taken: this would turn it into variables.
    monkeypatch.setattr(given_weights, "store", None)
    expected = checkpoint.read(synthetic)
    for source in (weights, read_weights(path)):
        variables = evaluation_variables(source, 1000)
        assert variables.keys() == expected.keys()
        assert np.array_equal(variables["final_layer/FC/weights"], expected["final_layer/FC/weights"][:, 1:])
        assert np.array_equal(variables["final_layer/FC/biases"], expected["final_layer/FC/biases"][1:])
        for name in variables.keys() - {"final_layer/FC/weights", "final_layer/FC/biases"}:
            assert variables[name].tobytes() == expected[name].tobytes()


def test_official_variables_of_a_file_are_without_the_auxiliary_head(weights: Weights, tmp_path: Path) -> None:
    config = replace(weights.config, aux_image_size=(224, 224))
    state = dict(weights.state)
    for name, tensor in outline(config).state_dict().items():
        if name not in state:
            state[name] = np.ones(tuple(tensor.shape), np.float32)
    write_file(tmp_path / "a.h5", store(outline(config), OURS, state))
    source = read_weights(tmp_path / "a.h5")
    assert source.config == config
    assert evaluation_variables(source, 1001).keys() == store(outline(weights.config), "tf", weights.state).keys()


def test_a_conversion_that_fails_is_not_put_in_place(
    synthetic: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_source: Weights, _result: Weights) -> Any:
        raise NotVerifiedError("the conversion is wrong, and is not put in place\nthe verdict")

    monkeypatch.setattr(verifying, "verify", fail)
    code, _, err = run(synthetic, tmp_path / "a.safetensors", "--verify")
    assert code == 1
    assert "the verdict" in err
    assert list(tmp_path.iterdir()) == []


def test_verified_is_said(synthetic: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "network_at", lambda *_: SMALL)
    code, out, _ = run(synthetic, tmp_path / "a.safetensors", "--verify")
    assert code == 0
    assert out.splitlines()[-1] == "  read back: the same bits; verified against the official network"
