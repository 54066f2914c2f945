"""The suite beside other plugins: options of the same name, orders of theirs, workers, and warnings that are errors."""

import random
import re
import warnings
from pathlib import Path

import pytest
import torch

from parity.core.policy import TRAINING_GATES
from parity.plugin.options import add_options, given
from tests.parity.starting import USAGE_ERROR, start, start_here

SMALL = ("--variant=mobile", "--image-size=33", "--image-size=65", "--threads=1")
COLLECT = (*SMALL, "--co", "-q")


class Other:
    """A plugin with options of its own."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def pytest_addoption(self, parser: pytest.Parser) -> None:
        for name in self.names:
            parser.getgroup("other").addoption(name, default="theirs", help="another plugin's")


class Shuffle:
    """A plugin that mixes the items of all networks."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        random.Random(3).shuffle(items)


@pytest.mark.parametrize("name", ["output", "report", "seed", "images", "variant"])
def test_an_option_of_another_plugin_leaves_ours_its_second_name(name: str) -> None:
    parser = pytest.Parser(_ispytest=True)
    Other(f"--{name}").pytest_addoption(parser)
    assert add_options(parser) == {name}
    namespace = parser.parse([f"--{name}=1", f"--parity-{name}=2"])
    config = pytest.Config.fromdictargs({}, [])
    config.option = namespace
    assert getattr(namespace, name) == "1"
    assert given(config, name) in (2, "2", ["2"])


def test_a_flag_of_another_plugin_is_seen_too() -> None:
    parser = pytest.Parser(_ispytest=True)
    parser.addoption("--partial", action="store_true")
    assert add_options(parser) == {"partial"}


def test_it_is_said_whose_option_that_is() -> None:
    code, said = start_here(*COLLECT[:-1], "-k", "conv0_bn and structure", "--parity-seed=1", plugins=[Other("--seed")])
    assert code == 0, said
    assert "parity: --seed is another plugin's option here: parity's is --parity-seed" in said
    assert "synthetic, seed 1" in said


def test_an_order_of_another_plugin_is_undone() -> None:
    """One network after the other, so that each is computed once, and the strongest gate first."""
    chosen = ("-k", "conv0 and not conv0_bn")
    mixed, usual = (start_here(*COLLECT, *chosen, plugins=plugins)[1] for plugins in ([Shuffle()], []))
    items = re.findall(r"^parity/.*", mixed, re.MULTILINE)
    assert items == re.findall(r"^parity/.*", usual, re.MULTILINE)
    assert len(items) == 12


def test_workers_are_refused_in_one_sentence() -> None:
    code, said = start_here(*SMALL, "-n2")
    assert code == USAGE_ERROR
    assert "cannot go with pytest-xdist's workers. Add -n 0" in said
    assert start_here(*COLLECT, "-k", "conv0_bn and structure", "-n0")[0] == 0


@pytest.mark.parametrize("gate", ["exact-float32", "exact-float64", *TRAINING_GATES])
def test_a_gate_is_selected_by_the_name_that_the_verdict_gives_it(gate: str) -> None:
    training = ("--training", "--variant=mobile") if gate in TRAINING_GATES else SMALL
    code, said = start_here(*training, "--co", "-q", "-k", gate)
    assert code == 0, said
    assert f"::test_{gate.partition('-float')[0].replace('-', '_')}" in said


def test_warnings_of_others_change_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where the user turns warnings into errors."""
    evaluate = torch.nn.Module.eval

    def warning(self: torch.nn.Module) -> torch.nn.Module:
        warnings.warn("Module.eval will change", FutureWarning, stacklevel=2)
        return evaluate(self)

    monkeypatch.setattr(torch.nn.Module, "eval", warning)
    code, said = start_here(*SMALL[:1], "--image-size=65", "--threads=1", "-k", "conv0", "-Werror")
    assert code == 0, said
    assert "12 passed" in said
    assert "FutureWarning: Module.eval will change" in said


def test_a_folder_that_cannot_be_written_changes_no_result(tmp_path: Path) -> None:
    """pytest warns that it cannot keep its cache there."""
    (tmp_path / "cache").write_text("no folder")
    chosen = (*SMALL[:1], "--image-size=65", "-k", "conv0_bn and structure")
    code, said = start(tmp_path, *chosen, "-o", f"cache_dir={tmp_path / 'cache/deep'}")
    assert code == 0, said
    assert "2 passed" in said
