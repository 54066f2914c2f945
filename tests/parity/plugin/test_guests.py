"""The suite beside other plugins: options of the same name, orders of theirs, workers, and warnings that are errors."""

import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from parity.core.policy import GATES, TRAINING_GATES
from parity.plugin.cases import cases
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


def test_an_option_of_another_plugin_is_not_taken_for_ours_in_silence() -> None:
    code, said = start_here(*COLLECT, "--seed=1", plugins=[Other("--seed")])
    assert code == USAGE_ERROR
    assert "--seed is another plugin's option here: parity's is --parity-seed" in said


def test_an_order_of_another_plugin_is_undone() -> None:
    """One network after the other, so that each is computed once, and the strongest gate first."""
    code, said = start_here(*COLLECT, "-k", "conv0 and not conv0_bn", plugins=[Shuffle()])
    assert code == 0, said
    expected = ["structure", "same_parts", "exact", "exact", "float64", "float32"]
    items = re.findall(r"::test_(\w+)\[(mobile-\d+)-(?:float\d\d-)?conv0\]", said)
    assert items == [(test, network) for network in ("mobile-33", "mobile-65") for test in expected]


def test_workers_are_refused_in_one_sentence() -> None:
    code, said = start_here(*SMALL, "-n2")
    assert code == USAGE_ERROR
    assert "cannot go with pytest-xdist's workers. Add -n 0" in said
    assert start_here(*COLLECT, "-k", "conv0_bn and structure", "-n0")[0] == 0


class Keywords:
    """A plugin that keeps each item's gate and the words by which `-k` finds it."""

    def __init__(self) -> None:
        self.found: set[tuple[str, bool]] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for case, item in zip(cases(items), items, strict=True):
            self.found.add((case.gate, case.gate in item.listextrakeywords()))


@pytest.mark.parametrize(("given", "gates"), [((), GATES[:-1]), (("--training",), TRAINING_GATES)])
def test_a_gate_is_selected_by_the_name_that_the_verdict_gives_it(given: Sequence[str], gates: Sequence[str]) -> None:
    keywords = Keywords()
    code, said = start_here(*given, "--variant=mobile", "--image-size=97", "--co", "-q", plugins=[keywords])
    assert code == 0, said
    assert keywords.found == {(gate, True) for gate in gates}
    assert start_here("--variant=mobile", "--image-size=33", "--co", "-q", "-k", "exact-float32 and conv0_bn")[0] == 0


# As a plugin, it warns in the port's forward, and where a library sets itself up.
WARNING = """
import warnings, torch
evaluate, threads = torch.nn.Module.eval, torch.set_num_threads
def warning_eval(self):
    warnings.warn("Module.eval will change", FutureWarning)
    return evaluate(self)
def warning_threads(number):
    warnings.warn("Please use the new API settings", UserWarning)
    threads(number)
torch.nn.Module.eval, torch.set_num_threads = warning_eval, warning_threads
"""


def test_warnings_of_others_change_no_result(tmp_path: Path) -> None:
    """Neither where the user turns warnings into errors, nor where pytest itself warns that it can keep no cache."""
    (tmp_path / "cache").write_text("no folder")
    chosen = ("--variant=mobile", "--image-size=65", "--threads=1", "-k", "conv0", "-Werror")
    code, said = start(tmp_path, *chosen, "-o", f"cache_dir={tmp_path / 'cache/deep'}", plugin=WARNING)
    assert code == 0, said
    assert "12 passed" in said
    assert "FutureWarning: Module.eval will change" in said
