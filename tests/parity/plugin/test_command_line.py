"""`pytest parity` as a user starts it: what is on the screen, and the exit code."""

import re
import shutil
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from parity.core.layers import port_layers
from tests.parity.starting import USAGE_ERROR, start
from tf_reference import checkpoint

SMALL = ("--variant=mobile", "--image-size=65", "--threads=1")
ONE_LAYER = (*SMALL, "-k", "test_float64 and conv0_bn")
# The networks of a plain run, in its order.
NETWORKS = ["large-331", "large-323", "large-97x131", "mobile-224", "mobile-97x131"]
# As a plugin, it tells at the end what was imported.
SPY = """
import sys
def pytest_unconfigure():
    print("imported:", *({"parity", "tensorflow", "tf_keras", "tf_slim"} & sys.modules.keys()))
"""
# As a plugin, it hides TensorFlow, as where it is not installed.
HIDE = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name in {"tensorflow", "tf_slim"} else find(name, *more)
sys.modules["tensorflow"] = None
"""
# As a plugin, it makes the suite itself fail.
BREAK = """
def pytest_collection_finish():
    from parity.session.session import ParitySession
    def judge(self, *arguments):
        raise RuntimeError("planted in the suite")
    ParitySession._judge = judge
"""
# As a plugin, it plants another epsilon in the port's first batch norm.
PLANT = """
def pytest_collection_finish():
    from parity.candidate import model as candidate_model
    load = candidate_model.load_tf_variables
    def planted(model, variables):
        load(model, variables)
        model.conv0_bn.eps = 1e-5
    candidate_model.load_tf_variables = planted
"""
Run = Callable[..., tuple[int, str]]
Failed = tuple[int, str, Path]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Starts `pytest parity`, its plugin in a folder of the test's own."""
    return partial(start, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--variant=tiny"], "ERROR: --variant tiny: expected large or mobile", id="variant"),
        pytest.param(["--image-size=0"], "ERROR: --image-size '0' is not an image size: expected a side", id="size"),
    ],
)
def test_a_bad_option_ends_the_run(run: Run, arguments: list[str], said: str) -> None:
    """With pytest's code for usage errors and one message."""
    code, output = run(*arguments)
    assert code == USAGE_ERROR
    assert said in output


@pytest.mark.slow
def test_an_empty_selection_ends_the_run(run: Run) -> None:
    """Nothing passes because nothing was selected; what -k takes is shown by examples that exist."""
    code, output = run("-k", "no_such_layer")
    assert code == USAGE_ERROR
    hint = re.search(r"ERROR: none of 2\d,\d{3} cases is selected: -k takes .* cell_5, (\S+) or float32;", output)
    assert hint
    assert hint[1] in port_layers("large")


def test_collecting_imports_no_tensorflow(run: Run) -> None:
    """Over 20,000 items: one network after the other, every layer of each by each gate, the strongest gate first."""
    code, output = run("--collect-only", "-q", plugin=SPY)
    assert code == 0
    assert "imported: parity\n" in output
    items = re.findall(r"^parity/test_(\w+)\.py::", output, re.MULTILINE)
    assert len(items) > 20_000
    assert list(dict.fromkeys(items)) == ["preprocess", "structure", "exact", "float64", "float32"]
    networks = re.findall(r"\[(\w+-\d+(?:x\d+)?)-", output)
    assert networks == sorted(networks, key=NETWORKS.index)


@pytest.mark.slow
def test_a_keyword_selects_a_cell_of_a_network(run: Run) -> None:
    """`mobile and cell_5` is that cell's layers by all gates, and the cell as a whole."""
    code, output = run("--collect-only", "-q", "-k", "mobile and cell_5")
    assert code == 0
    cases = re.findall(r"^parity/\S+\[(\S+)\]$", output, re.MULTILINE)
    assert len(cases) > 300
    assert all(re.fullmatch(r"mobile-(224|97x131)-(float(32|64)-)?cell_5(\..*)?", case) for case in cases)
    assert "mobile-224-cell_5" in cases


def test_help_lists_every_option(run: Run) -> None:
    code, output = run("--help", plugin=SPY)
    assert code == 0
    assert "imported: parity\n" in output
    group = output.partition("parity of PNASNet-5 in PyTorch")[2].partition("\n\n")[0]
    for option in ("variant", "image-size", "checkpoint", "images", "reference", "seed", "threads", "report"):
        assert re.search(rf"^  --{option}=", group, re.MULTILINE), option


@pytest.mark.slow
def test_without_tensorflow_it_says_what_to_install(run: Run) -> None:
    code, output = run("-k", "mobile and conv0", plugin=HIDE)
    assert code == USAGE_ERROR
    assert "needs tensorflow, tf_slim: python -m pip install 'pnasnet-parity[parity]'" in output


@pytest.mark.slow
def test_a_file_that_is_no_image_is_named(run: Run, tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    code, output = run(*ONE_LAYER, f"--images={text}")
    assert code == USAGE_ERROR
    assert f"{text} is not a sound JPEG or PNG image" in output


@pytest.mark.slow
def test_triton_is_imported_before_tensorflow(run: Run, tmp_path: Path) -> None:
    """Where PyTorch brings it, which crashes the process in the other order."""
    (tmp_path / "triton").mkdir()
    first = tmp_path / "first"
    tell = f"import sys\nopen({str(first)!r}, 'a').write(f\"{{'tensorflow' not in sys.modules}} \")\n"
    (tmp_path / "triton/__init__.py").write_text(tell)
    code, output = run(*ONE_LAYER)
    assert code == 0, output
    assert first.read_text() == "True "


def test_an_error_of_the_suite_itself_ends_the_run(run: Run) -> None:
    """It is shown once, and that nothing else was compared, and a report is asked for; its exit code is its own."""
    code, output = run(*SMALL, "-k", "conv0", plugin=BREAK)
    assert code == int(pytest.ExitCode.INTERNAL_ERROR)
    assert output.count("parity: this is an error of pnasnet-parity itself and says nothing of what was judged") == 1
    assert len(re.findall(r"^E +RuntimeError: planted in the suite$", output, re.MULTILINE)) == 1
    assert "mobile-65 structure could not be computed; nothing behind it was compared" in output


def truncated(synthetic: Path, prefix: Path) -> list[str]:
    """The first half of the data, under a whole index."""
    shutil.copy(f"{synthetic}.index", f"{prefix}.index")
    data = Path(f"{synthetic}.data-00000-of-00001").read_bytes()
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data[: len(data) // 2])
    return ["is not a sound TensorFlow checkpoint", "(variable ", "truncated"]


def with_a_nan(synthetic: Path, prefix: Path) -> list[str]:
    """One value of one variable."""
    variables = checkpoint.read(synthetic)
    variables["cell_5/1x1/weights"][0, 0, 3, 7] = np.nan
    checkpoint.write(prefix, variables)
    return ["(1 problems)", "not finite: cell_5/1x1/weights: nan at (0, 0, 3, 7)"]


def with_another_variable(synthetic: Path, prefix: Path) -> list[str]:
    """One variable under another name: one is missing, and one is left over."""
    variables = checkpoint.read(synthetic)
    variables["cell_5/1x1/kernel"] = variables.pop("cell_5/1x1/weights")
    checkpoint.write(prefix, variables)
    return ["(2 problems)", "missing: cell_5/1x1/weights (", "left over: cell_5/1x1/kernel ("]


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [truncated, with_a_nan, with_another_variable])
def test_a_checkpoint_that_is_not_sound_ends_the_run(
    run: Run, synthetic: Path, tmp_path: Path, spoil: Callable[[Path, Path], list[str]]
) -> None:
    """The file and the variable are named, even where the selected layer does not depend on it."""
    prefix = tmp_path / "broken.ckpt"
    said = spoil(synthetic, prefix)
    code, output = run(*ONE_LAYER, f"--checkpoint={prefix}")
    assert code == USAGE_ERROR
    for part in (str(prefix), *said):
        assert part in output


@pytest.mark.slow
def test_a_run_tells_what_was_compared(run: Run) -> None:
    """Versions, machine, settings, network, weights and images; at the end the counts of each gate."""
    code, output = run("--variant=mobile", "--image-size=65", "--threads=2", "-k", "conv0")
    assert code == 0
    for pattern in (
        r"torch \d+\.\d+\S*, tensorflow 2\.\d+\.\d+, tf-slim 1\.1\.0, tf-keras \S+, numpy \S+",
        r"parity: .+, 2 threads, oneDNN off in TensorFlow, TF32 off, deterministic algorithms",
        r"parity: mobile-65: the port against official",
        r"parity: .*checkpoint synthetic, seed 0",
        r"parity: images \(SHA-256\) chelsea\.jpg [0-9a-f]{12}",
        r"12 passed, 3637 deselected",
    ):
        assert re.search(pattern, output), pattern
    for gate in ("structure", "exact-float32", "exact-float64", "float64", "float32"):
        assert re.search(rf"^mobile-65 +{gate} +2 +0 ", output, re.M), gate


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Failed:
    """A run with a fault in conv0_bn: the exit code, what it said, and its JUnit file."""
    folder = tmp_path_factory.mktemp("failed")
    selection = ("-k", "conv0 or cell_stem_0.relu or cell_stem_0.1x1")
    code, output = start(folder, *SMALL, *selection, f"--junitxml={folder / 'junit.xml'}", plugin=PLANT)
    return code, output, folder / "junit.xml"


def test_the_verdict_comes_before_all_failures(failed: Failed) -> None:
    """The culprit with its kind, its replays, a hint, and the command for a closer look; and the exit code is 1."""
    code, output, _ = failed
    assert code == int(pytest.ExitCode.TESTS_FAILED)
    lines = output[re.search("^=+ verdict =+$", output, re.MULTILINE).end() :].splitlines()  # type: ignore[union-attr]
    summary = [line for line in lines if line]
    assert summary[0] == "mobile-65: 1 culprit, 2 layers downstream"
    assert summary[1] == "  conv0_bn: operation (fails exact-float32, exact-float64, float64, float32)"
    assert re.fullmatch(r"    replay in float64: fails: relative L2: measured .+ \(too far\)", summary[3])
    assert summary[5] == "    it gives: epsilon 1e-05"
    assert summary[6].startswith("    a closer look: pytest parity -k 'mobile-65 and conv0_bn' --variant=mobile")
    assert re.fullmatch("=+ FAILURES =+", summary[7])


def test_only_a_source_is_printed_and_only_once(failed: Failed) -> None:
    """What fails behind it, and what fails by weaker gates again, is counted apart."""
    _, output, _ = failed
    assert re.findall(r"^FAILED \S+\[(\S+)\]", output, re.MULTILINE) == ["mobile-65-float32-conv0_bn"]
    assert re.findall(r"^_+ test_\w+\[(\S+)\] _+$", output, re.MULTILINE) == ["mobile-65-float32-conv0_bn"]
    assert re.search(r"= 1 failed, 10 passed, \d+ deselected, 8 downstream, 3 repeated in ", output)
    assert "parity/test_exact.py .Fdd.rdd" in output
    assert re.search(r"^mobile-65  float32 +4  FAILED 3 .*  conv0_bn$", output, re.M)


def test_junit_has_every_failure(failed: Failed) -> None:
    """With what explains it; those behind the culprit name it."""
    cases = list(ET.parse(failed[2]).iter("testcase"))
    wrong = {case: failure.get("message", "") for case in cases if (failure := case.find("failure")) is not None}
    assert (len(cases), len(wrong)) == (22, 12)
    reasons = {case: prop.get("value") for case in wrong for prop in case.iter("property")}
    assert Counter(reasons.values()) == {"downstream": 8, "repeated": 3}
    for case, message in wrong.items():
        words = {"downstream": "behind conv0_bn", "repeated": "as it failed exact-float32", None: "to repeat just this"}
        assert words[reasons.get(case)] in message
