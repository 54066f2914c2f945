"""A command that cannot be carried out is refused before anything is read."""

import json
from pathlib import Path

import pytest

from parity.convert.request import Request, RequestError
from pnasnet_torch import variant
from pnasnet_torch.hub import FILE, Card, make_card
from pnasnet_torch.targets import OURS, TF


def refused(request: Request) -> str:
    """Check the request, which is refused, and return the message."""
    with pytest.raises(RequestError) as caught:
        request.check()
    return str(caught.value)


@pytest.mark.parametrize("name", ["mobile.onnx", "mobile", "mobile.H5", "mobile.pth.gz", "mobile.tar.gz"])
def test_an_unknown_format(name: str, tmp_path: Path) -> None:
    message = refused(Request(Path("source"), tmp_path / name))
    assert name in message
    assert "expected .h5, .safetensors, .pth, or .ckpt for a TensorFlow checkpoint" in message


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("a.ckpt", {"names": "timm"}, "--names timm: a TensorFlow checkpoint has TensorFlow's names alone, tf"),
        ("a.h5", {"version": 1}, "--checkpoint-version is for a target that ends in .ckpt, not for a.h5"),
        ("none/a.h5", {}, "there is no folder"),
    ],
)
def test_options_that_do_not_go_together(target: str, options: dict[str, str], message: str, tmp_path: Path) -> None:
    assert message in refused(Request(Path("source"), tmp_path / target, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(("target", "names"), [("a.h5", OURS), ("a.ckpt", TF)])
def test_default_names(target: str, names: str) -> None:
    assert Request(Path("source"), Path(target)).target_names == names


@pytest.mark.parametrize(
    ("target", "there", "owned"),
    [
        ("a.h5", ["a.h5", "b.h5", "config.json"], ["a.h5"]),
        ("a.ckpt", ["a.ckpt", "a.ckpt-1"], ["a.ckpt"]),
        (
            "a.ckpt",
            ["a.ckpt.index", "a.ckpt.data-00000-of-00001", "b.ckpt.index"],
            ["a.ckpt.data-00000-of-00001", "a.ckpt.index"],
        ),
        (
            "a.ckpt",
            ["a.ckpt-00000-of-00002", "a.ckpt-00001-of-00002"],
            ["a.ckpt-00000-of-00002", "a.ckpt-00001-of-00002"],
        ),
    ],
)
def test_what_is_there_is_replaced_by_force_alone(
    target: str, there: list[str], owned: list[str], tmp_path: Path
) -> None:
    for name in there:
        (tmp_path / name).touch()
    request = Request(Path("source"), tmp_path / target, force=True)
    request.check()
    assert sorted(path.name for path in request.replaced()) == owned
    message = refused(Request(Path("source"), tmp_path / target))
    for name in owned:
        assert str(tmp_path / name) in message
    assert "--force replaces it" in message


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("weights", ["other.safetensors", ""])
def test_a_config_json_of_something_else_is_kept(force: bool, weights: str, tmp_path: Path) -> None:
    card = make_card(Card(weights, "", (224, 224)), "mobile", variant("mobile").config, OURS, {})
    (tmp_path / FILE).write_text(json.dumps(card if weights else {"architecture": "resnet50"}))
    message = refused(Request(Path("source"), tmp_path / "a.safetensors", force=force))
    assert f"{tmp_path / FILE} describes {weights or 'something else'}" in message
    assert "give each network a folder of its own" in message


def test_its_own_config_json_is_replaced_with_it(tmp_path: Path) -> None:
    card = make_card(Card("a.safetensors", "", (224, 224)), "mobile", variant("mobile").config, OURS, {})
    (tmp_path / FILE).write_text(json.dumps(card))
    request = Request(Path("source"), tmp_path / "a.safetensors", force=True)
    request.check()
    assert request.replaced() == [tmp_path / FILE]
