"""config.json says what timm and the port look for."""

import json
from pathlib import Path

import pytest

from pnasnet_torch import variant
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.hub import FILE, OWN, Card, class_offset, make_card, read_card
from pnasnet_torch.targets import OURS, TF

CARD = Card("model.safetensors", "0" * 64, (331, 331))
SOURCE = {"name": "model.ckpt", "sha256": "1" * 64}


@pytest.mark.parametrize(
    ("names", "first", "classifier"),
    [
        ("timm", "conv_0.conv", "last_linear"),
        ("pytorchcv", "features.init_block.conv", "output.fc"),
        (OURS, "conv0", "final_layer.FC"),
        (TF, "conv0", "final_layer/FC"),
    ],
)
def test_timm_s_entries(names: str, first: str, classifier: str) -> None:
    """Those that timm's own pnasnet5large has, with slim's preprocessing."""
    content = make_card(CARD, "large", variant("large").config, names, SOURCE)
    assert (content["architecture"], content["num_classes"], content["num_features"]) == ("pnasnet5large", 1001, 4320)
    config = content["pretrained_cfg"]
    assert (config["input_size"], config["pool_size"]) == ([3, 331, 331], [11, 11])
    assert (config["mean"], config["std"]) == ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
    assert (config["interpolation"], config["crop_pct"], config["crop_mode"]) == ("bilinear", 0.875, "squash")
    assert (config["first_conv"], config["classifier"]) == (first, classifier)


def test_the_port_s_own_entries_come_back(tmp_path: Path) -> None:
    content = make_card(CARD, "mobile", variant("mobile").config, OURS, SOURCE)
    (tmp_path / FILE).write_text(json.dumps(content))
    assert read_card(tmp_path) == CARD
    own = content[OWN]
    assert (own["variant"], own["class_offset"], own["names"], own["source"]) == ("mobile", 1, OURS, SOURCE)


@pytest.mark.parametrize(("classes", "offset"), [(1001, 1), (1000, 0), (7, 0)])
def test_only_the_background_moves_the_classes(classes: int, offset: int) -> None:
    assert class_offset(classes) == offset


@pytest.mark.parametrize("content", [None, "{}", "[]", "{ // with comments", '{"architecture": "resnet50"}'])
def test_where_there_is_no_entry_of_the_port_s_there_is_no_card(content: str | None, tmp_path: Path) -> None:
    if content:
        (tmp_path / FILE).write_text(content)
    assert read_card(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        '{"pnasnet_torch": {',
        '["pnasnet_torch"]',
        '{"pnasnet_torch": 3}',
        '{"pnasnet_torch": {}}',
        '{"pnasnet_torch": {"image_size": [3], "weights": "a", "sha256": "b"}}',
        '{"pnasnet_torch": {"image_size": [3, 3], "weights": "../a.h5", "sha256": "b"}}',
    ],
)
def test_a_damaged_one_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(WeightsError, match=r"config\.json is damaged"):
        read_card(tmp_path)


def test_the_systems_reason_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read is not called damaged."""

    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / FILE).touch()
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(WeightsError, match=r"config\.json cannot be read: Permission denied$"):
        read_card(tmp_path)
