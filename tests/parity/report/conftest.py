"""A small outcome made by hand, real reports of small runs, and a browser."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserType, sync_playwright

from parity.core import compare
from parity.core.layers import Network
from parity.core.specification import PHOTOGRAPHS
from parity.diagnosis.verdict import Culprit, Verdict
from parity.report.collect import Collector
from parity.report.document import Outcome, document
from parity.report.judgement import Run
from tests.conftest import Once
from tests.parity.conftest import TrainingTrace
from tests.parity.gates.training.conftest import STOPPED
from tests.parity.report.browser import Search, search
from tests.parity.report.computer import Computer
from tests.parity.report.machine import speaker, this_machine
from tf_reference.layers import IMAGES, Layer

ROOT = Path(__file__).parents[3]
NETWORK = Network("mobile", 24, 32)
CHAIN = ("conv0", "conv0_bn", "cell_0.relu")
# As a plugin, it plants symmetric padding in the first depthwise convolution and pool of cell_3, on even maps.
PLANT = """
def pytest_collection_finish():
    from parity.candidate import model as candidate_model
    from parity.faults.padding import padded_conv, padded_pool, symmetric
    load = candidate_model.load_tf_variables
    def planted(model, variables):
        load(model, variables)
        padded_conv(symmetric)(model, "cell_3.comb_iter_0.left.separable_5x5_1.depthwise")
        padded_pool(symmetric)(model, "cell_3.comb_iter_0.right.max_pool")
    candidate_model.load_tf_variables = planted
"""
# As a plugin, it interrupts the run, as Ctrl-C does, once the float64 gate is to be computed.
INTERRUPT = """
def pytest_collection_finish():
    from parity.session.session import ParitySession
    judge = ParitySession._judge
    def interrupted(self, job, *more):
        if "float64" in job.gate.names:
            raise KeyboardInterrupt
        return judge(self, job, *more)
    ParitySession._judge = interrupted
"""
CRASH = INTERRUPT.replace("KeyboardInterrupt", 'RuntimeError("planted in the suite")')
# The name of a photograph that would run as a script, were it taken for HTML.
HOSTILE = "<img src=x onerror=alert(1)>.jpg"
SMALL = ("--variant=mobile", "--image-size=65")
MakeReport = Callable[..., tuple[int, str, Path]]
ReportOnce = Callable[..., Path]


@pytest.fixture(scope="session")
def make_report(tmp_path_factory: pytest.TempPathFactory) -> MakeReport:
    """Runs `pytest parity --report`, on Mobile at 65 pixels without another `network`: the exit code, what it said, and
    the folder."""

    def make(
        *arguments: str, plugin: str = "", network: tuple[str, ...] = SMALL, folder: Path | None = None
    ) -> tuple[int, str, Path]:
        folder = folder or tmp_path_factory.mktemp("report")
        (folder / "planted_plugin.py").write_text(plugin)
        path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        options = [*network, "--threads=1", f"--report={folder}"]
        command = [sys.executable, "-m", "pytest", "-p", "planted_plugin", "parity", *options, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr, folder

    return make


@pytest.fixture(scope="session")
def report_once(make_report: MakeReport, once: Once) -> ReportOnce:
    """The folder of a report that is made once, by a run that ends with `code`."""

    def made(name: str, code: int, *arguments: str, **others: Any) -> Path:
        def fill(folder: Path) -> None:
            found, output, _ = make_report(*arguments, folder=folder, **others)
            assert found == code, output

        return once(f"report-{name}", fill)

    return made


@pytest.fixture(scope="session")
def passing(report_once: ReportOnce) -> Path:
    return report_once("passing", 0)


@pytest.fixture(scope="session")
def failing(report_once: ReportOnce) -> Path:
    return report_once("failing", 1, plugin=PLANT)


@pytest.fixture(scope="session")
def training(report_once: ReportOnce, training_trace: TrainingTrace) -> Path:
    """Of training, where gradients are lost in many places."""
    reference = f"--reference={training_trace.path}"
    return report_once("training", 1, "--training", plugin=STOPPED, network=(reference,))


@pytest.fixture(scope="session")
def partial(report_once: ReportOnce, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one cell alone, on a photograph whose name is hostile."""
    image = tmp_path_factory.mktemp("images") / HOSTILE
    shutil.copy(PHOTOGRAPHS / "chelsea.jpg", image)
    return report_once("partial", 0, "-k", "cell_3 or preprocess", f"--images={image}")


@pytest.fixture(scope="session")
def browser_type() -> Iterator[BrowserType]:
    """Playwright's way to start Chromium; a process has one Playwright at a time."""
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="session")
def browser_search(once: Once, browser_type: BrowserType, pytestconfig: pytest.Config) -> Search:
    """What came of the search for a browser, which one process makes for all."""

    def fill(folder: Path) -> None:
        result = search(this_machine(browser_type, speaker(pytestconfig)))
        (folder / "search.json").write_text(json.dumps(asdict(result)))

    return Search(**json.loads((once("browser", fill) / "search.json").read_text()))


@pytest.fixture(scope="session")
def chromium(browser_search: Search, browser_type: BrowserType) -> Iterator[Browser]:
    """The browser that was found; where none was, the tests that ask for it are not run."""
    if not browser_search.path:
        pytest.skip(browser_search.message)
    browser = browser_type.launch(executable_path=browser_search.path, chromium_sandbox=browser_search.sandbox)
    yield browser
    browser.close()


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    """A computer without a browser, and without a network to get one from."""
    return Computer(tmp_path)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Set the browser up before any report, so that none is made for a test that is not run."""
    if isinstance(item, pytest.Function) and "chromium" in item.fixturenames:
        item.fixturenames.remove("chromium")
        item.fixturenames.insert(0, "chromium")


@pytest.fixture
def run() -> Run:
    """A run that ended well."""
    return Run("pytest parity", "--threads=1", "", "2026-01-01T00:00:00+00:00", 1.5, exit=0, tests=3)


@pytest.fixture
def provenance() -> dict[str, Any]:
    return {
        "versions": {"torch": "2", "tensorflow": "2"},
        "machine": {"cpu": "a CPU", "system": "a system", "threads": 1},
        "settings": [],
        "references": [{"label": "", "name": "official", "sha256": "0" * 64, "recorded": None}],
        "checkpoints": [],
        "images": [],
        "seed": 0,
    }


@pytest.fixture
def outcome(run: Run) -> Outcome:
    """Three layers by the float64 gate, the last two of which fail; what the collector saw of them is there."""
    inputs = dict(zip(CHAIN, (IMAGES, *CHAIN), strict=False))
    layers = {name: Layer(name, "Relu", f"{name}:0", (None, 6, 8, 4), "float64", (inputs[name],)) for name in CHAIN}
    collector = Collector()
    collector.layers = {NETWORK: layers}
    truth = np.random.default_rng(0).normal(size=(1, 6, 8, 4))
    results = {}
    for name, error in zip(CHAIN, (1e-15, 1e-3, 1e-2), strict=True):
        actual = truth.copy()
        actual[0, 2, 3, 1] += error
        results[name] = compare.float64(str(NETWORK), name, actual, truth)
        collector(results[name], actual, truth)
    verdict = Verdict(str(NETWORK), (Culprit("conv0_bn", ("float64",), "operation"),), {"cell_0.relu": ("conv0_bn",)})
    nodes = {name: f"parity/test_float64.py::test_float64[{NETWORK}-{name}]" for name in CHAIN}

    def explain(layer: str) -> tuple[str, str]:
        return ("", "") if layer == "conv0_bn" else ("downstream", "behind conv0_bn")

    key = ("float64", NETWORK)
    return Outcome(
        *(run, (NETWORK,), {NETWORK: layers}, {NETWORK: {"float64": results}}, [verdict], {(NETWORK, "float64"): 0.5}),
        *({key: nodes}, frozenset({"a.jpg"}), collector.observations, {key: explain}),
    )


@pytest.fixture
def data(outcome: Outcome, provenance: dict[str, Any]) -> dict[str, Any]:
    """The document of that outcome."""
    return document(outcome, provenance)
