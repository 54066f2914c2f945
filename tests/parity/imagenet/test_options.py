"""Where an evaluation's settings come from, and what is said of those that cannot be used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parity.imagenet.options import OPTIONS, Settings, expectation, parse_settings, published
from parity.plugin.loading import join_values
from parity.plugin.options import options_with_values
from tf_reference.errors import InputError

Parse = Callable[..., Settings]


@pytest.fixture
def parse(synthetic: Path, tmp_path: Path) -> Parse:
    """Settings from options, for the synthetic Mobile checkpoint, and a folder as the validation set."""
    defaults = {name.replace("-", "_"): keywords.get("default") for name, keywords in OPTIONS.items()}
    given: dict[str, Any] = defaults | {
        "imagenet": str(tmp_path),
        "checkpoint": str(synthetic),
        "reference": "official",
    }

    def parsed(ini: dict[str, str] | None = None, **options: Any) -> Settings:
        return parse_settings((given | options).get, (ini or {}).get)

    return parsed


def test_the_checkpoint_says_which_variant_it_is(parse: Parse) -> None:
    assert [str(network) for network in parse().networks] == ["mobile-224"]
    assert [str(network) for network in parse(image_size=["64", "300x480"]).networks] == ["mobile-64", "mobile-300x480"]
    with pytest.raises(InputError, match=r"--variant large: .* holds the weights of PNASNet-5 mobile"):
        parse(variant=["large"])


def test_the_environment_comes_before_tox_ini(parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("option", "environment", "ini"):
        (tmp_path / name).mkdir()
    ini = {"imagenet": str(tmp_path / "ini")}
    assert parse(ini, imagenet=None).imagenet.name == "ini"
    monkeypatch.setenv("PNASNET_PARITY_IMAGENET", str(tmp_path / "environment"))
    assert parse(ini, imagenet=None).imagenet.name == "environment"
    assert parse(ini, imagenet=str(tmp_path / "option")).imagenet.name == "option"


def test_without_any_setting_data_is_taken(parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/val").mkdir(parents=True)
    assert parse(imagenet=None).imagenet == Path("data/val")


def test_without_any_data_it_is_said_how_to_get_it(
    parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"there is no validation set at data/val\n(.|\n)*image-net\.org(.|\n)*--imagenet"
    ):
        parse(imagenet=None)
    with pytest.raises(InputError, match=r"no weights at data/model\.ckpt(.|\n)*pnasnet-5_large_2017_12_13"):
        parse(checkpoint=None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "--limit 0: expected at least 1"),
        ({"threads": 0}, "--threads 0: expected at least 1"),
        ({"batch_size": 0}, "--batch-size 0: expected at least 1"),
        ({"image_size": ["18"]}, "--image-size 18: mobile needs images of at least 19x19 pixels"),
        ({"image_size": ["big"]}, "--image-size 'big' is not an image size"),
        ({"expect": "0.9"}, "--expect 0.9: expected two accuracies from 0 to 1, top-1 and top-5"),
        ({"expect": "0.9,0.8"}, "--expect 0.9,0.8: expected two accuracies"),
        ({"expect": "82.9,96.2"}, "--expect 82.9,96.2: expected two accuracies"),
        ({"expect": "0.8,0.9", "image_size": ["64", "96"]}, "there are mobile-64, mobile-96; evaluate one size alone"),
    ],
)
def test_a_bad_option_is_named(parse: Parse, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(**options)
    assert message in str(caught.value)


def test_a_published_figure_is_for_the_variant_s_own_size() -> None:
    found = expectation("0.829,0.96")
    assert found
    assert published(found, ["large-331", "large-323"]) == {"large-331": found, "large-323": None}
    assert published(found, ["large-323"]) == {"large-323": found}
    assert found.tolerances == pytest.approx((0.0005, 0.005))


def test_an_option_and_its_path_become_one_argument() -> None:
    """So that pytest takes no path for a place of tests."""
    given = [
        "--full-imagenet",
        "--imagenet",
        "a",
        "--checkpoint",
        "b",
        "--output=c",
        "--report",
        "d",
        "-k",
        "large",
        "parity",
    ]
    joint = ["--full-imagenet", "--imagenet=a", "--checkpoint=b", "--output=c", "--report=d", "-k", "large", "parity"]
    assert join_values(given, options_with_values()) == joint
    assert join_values(joint, options_with_values()) == joint
