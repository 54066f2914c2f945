"""`parity.check`: what it finds is what `pytest parity` finds, and whatever is given stays as it is."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser
from torch import nn

import parity
from parity.core.errors import InputError
from parity.core.pinning import _settings
from pnasnet_torch import pnasnet_mobile
from tests.parity.starting import start
from tests.waiting import run

SIZE = "97x131"
Change = Callable[[nn.Module], object]
# Makes a module whose function gives a model with a fault, for the command line.
FAULTY = """
from pnasnet_torch import pnasnet_mobile

def make():
    model = pnasnet_mobile()
    model.get_submodule("cell_2.comb_iter_0.left.bn_sep_5x5_1").eps = 1e-2
    return model
"""


def faulty() -> nn.Module:
    """A port with another epsilon in one place."""
    model = pnasnet_mobile()
    model.get_submodule("cell_2.comb_iter_0.left.bn_sep_5x5_1").eps = 1e-2  # type: ignore[assignment]
    return model


def test_a_sound_model() -> None:
    checked = parity.check(pnasnet_mobile(), image_size=SIZE)
    assert checked
    assert (checked.verdict, checked.culprits) == (None, ())
    assert set(checked.layers) == {"structure", "exact-float32", "exact-float64"}
    # Of the port's own forward, which ends at the logits, the last layer is not shown.
    assert str(checked).startswith("mobile-97x131: parity, in all of ")
    assert "exact-float64" in str(checked)
    assert json.loads(json.dumps(checked.as_dict()))["passed"] is True
    assert "parity, in all of" in checked._repr_html_()


def test_a_fault_is_found_as_by_the_command(tmp_path: Path) -> None:
    checked = parity.check(faulty(), image_size=SIZE)
    assert not checked
    (culprit,) = checked.culprits
    assert culprit.layer == "cell_2.comb_iter_0.left.bn_sep_5x5_1"
    (tmp_path / "faulty_port.py").write_text(FAULTY)
    chosen = ("--candidate=faulty_port:make", "--variant=mobile", f"--image-size={SIZE}", "--reference=golden", "-q")
    code, said = start(tmp_path, *chosen)
    assert code == pytest.ExitCode.TESTS_FAILED
    head, *lines = str(checked).partition("\n\n")[0].splitlines()
    assert head in said
    assert [line for line in lines if line not in said] == []
    assert not json.loads(json.dumps(checked.as_dict()))["passed"]
    assert culprit.layer in checked._repr_html_()


def test_a_failing_model_ends_a_test_with_the_verdict() -> None:
    parity.assert_parity(pnasnet_mobile, image_size=SIZE)
    with pytest.raises(AssertionError, match=r"mobile-97x131: 1 culprit, .* layers downstream"):
        parity.assert_parity(faulty, image_size=SIZE)


def test_what_is_given_and_what_is_set_stay_as_they_are() -> None:
    model = faulty().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    settings = {name: read() for name, (read, _write) in _settings().items()}
    parity.check(model, image_size=SIZE)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert {name: read() for name, (read, _write) in _settings().items()} == settings


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    "wrapped",
    [nn.DataParallel, torch.compile, lambda model: lambda: nn.DataParallel(model)],
    ids=["DataParallel", "torch.compile", "function"],
)
def test_a_model_within_something_else(wrapped: Callable[[nn.Module], Any]) -> None:
    assert parity.check(wrapped(pnasnet_mobile()), image_size=SIZE)
    assert not parity.check(wrapped(faulty()), image_size=SIZE)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("a text", {}, "a str is no model: expected a torch.nn.Module, or what makes one"),
        (nn.Linear(2, 2), {}, r"has 2 weights, such as weight, whose names follow none of"),
        (lambda: None, {}, "gives NoneType: expected a torch.nn.Module"),
        (pnasnet_mobile, {"variant": "large"}, "cannot be judged as large-331: it has PNASNet-5 mobile alone"),
        (pnasnet_mobile, {"variant": "huge"}, "huge"),
        (pnasnet_mobile, {"image_size": "small"}, "small"),
        (pnasnet_mobile, {"image_size": 65}, "the reference golden holds .*mobile-224.*, and not mobile-65"),
        (pnasnet_mobile, {"reference": "gold"}, "gold"),
        (pnasnet_mobile, {"reference": "none.h5"}, "there is no trace at none.h5"),
        (pnasnet_mobile, {"adapter": "none.toml"}, "none.toml"),
    ],
)
def test_what_cannot_be_judged_is_told(model: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parity.check(model, **options)


def test_by_the_official_network_as_it_runs() -> None:
    """By all gates on values; and its process is ended."""
    checked = parity.check(faulty(), image_size=65, reference="official")
    assert set(checked.layers) == {"structure", "exact-float32", "exact-float64", "float64", "float32"}
    (culprit,) = checked.culprits
    assert any("epsilon" in hint for hint in culprit.hints)


def test_a_fixture_in_any_folder(tmp_path: Path) -> None:
    """Of a suite that has nothing else of parity."""
    (tmp_path / "faulty_port.py").write_text(FAULTY)
    (tmp_path / "test_port.py").write_text(
        f"""
from faulty_port import make
from pnasnet_torch import pnasnet_mobile

def test_sound(parity_check):
    parity_check(pnasnet_mobile(), image_size={SIZE!r})

def test_faulty(parity_check):
    parity_check(make, image_size={SIZE!r})
"""
    )
    code, said = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_port.py", folder=tmp_path)
    assert code == pytest.ExitCode.TESTS_FAILED, said
    assert "1 failed, 1 passed" in said
    assert "AssertionError: mobile-97x131: 1 culprit" in said
    assert "cell_2.comb_iter_0.left.bn_sep_5x5_1" in said


def test_a_notebook_shows_the_report(chromium: Browser, tmp_path: Path) -> None:
    """Its links stay within the frame."""
    checked = parity.check(faulty(), image_size=SIZE)
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!DOCTYPE html><html><body>{checked._repr_html_()}</body></html>")
    page = chromium.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(notebook.as_uri())
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name="cell_2.comb_iter_0.left.bn_sep_5x5_1").first.click()
    frame.get_by_role("heading", name="cell_2.comb_iter_0.left.bn_sep_5x5_1", exact=True).wait_for()
    assert "Culprit" in frame.locator("main").inner_text()
    assert page.url == notebook.as_uri()
    assert errors == []
