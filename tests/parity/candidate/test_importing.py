"""Objects by their names, and modules of a checkout that leave nothing behind."""

import sys
from pathlib import Path

import pytest

from parity.candidate.importing import find_object, importable
from tf_reference.errors import InputError


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Its modules are called as the standard library's and as another of its own."""
    (tmp_path / "colorsys.py").write_text("import helper_of_checkout\nvalue = helper_of_checkout.value\n")
    (tmp_path / "helper_of_checkout.py").write_text("value = 7\n")
    return tmp_path


def test_a_checkout_goes_before_modules_of_the_same_name_and_leaves_them(checkout: Path) -> None:
    import colorsys

    with importable(checkout):
        assert find_object("colorsys:value") == 7
    assert sys.modules["colorsys"] is colorsys
    assert "helper_of_checkout" not in sys.modules
    assert str(checkout) not in sys.path


def test_what_raises_leaves_nothing_either(checkout: Path) -> None:
    (checkout / "helper_of_checkout.py").write_text("1 / 0\n")
    with (
        importable(checkout),
        pytest.raises(InputError, match="colorsys:value cannot be had: importing colorsys raises Zero"),
    ):
        find_object("colorsys:value")
    assert not hasattr(__import__("colorsys"), "value")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("math", "'math' names no object: expected MODULE:NAME"),
        (":sqrt", "names no object"),
        (
            "no_such_module_at_all:x",
            "No module named 'no_such_module_at_all'; install that package in this environment, or correct",
        ),
        ("math:no", "cannot be had: module 'math' has no attribute 'no'; correct the name"),
    ],
)
def test_an_object_that_is_not_there(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_object(spec)


def test_an_attribute_of_an_attribute() -> None:
    assert find_object("pathlib:Path.home") == Path.home
