"""`pytest parity --candidate` as a user starts it."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from parity.candidate.observable import share
from parity.core.layers import Network
from parity.plugin.header import header
from tests import checkouts
from tests.parity.plugin.test_options import parse
from tests.parity.starting import ROOT, USAGE_ERROR, start, start_here
from tf_reference import official

SMALL = ("--variant=mobile", "--image-size=65", "--threads=1")
# A user's own implementation: the port's names, and one batch norm with PyTorch's epsilon.
USERS = """
def model():
    from pnasnet_torch import pnasnet_mobile
    made = pnasnet_mobile()
    made.cell_stem_0.beginning_bn.eps = 1e-5
    return made
"""
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return partial(start, tmp_path)


def test_a_users_implementation_is_judged_and_its_fault_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "users.py").write_text(USERS)
    monkeypatch.syspath_prepend(tmp_path)
    code, said = start_here(*SMALL, "--candidate=users:model", "-k", "stem_0.beginning or stem_0.comb_iter_0.left.relu")
    assert code == 1, said
    assert "mobile-65: users:model against official" in said
    assert "mobile-65: 1 culprit, " in said
    assert "  cell_stem_0.beginning_bn: operation (fails exact-float32, exact-float64, float64, float32)" in said
    assert "it gives: epsilon 1e-05" in said
    assert "--candidate=users:model" in said.split("a closer look: ")[1].splitlines()[0]
    assert "parity: users:model shows 726 of 726 layers (100%) of mobile-65\n" in said


@pytest.mark.slow
def test_another_implementation_shows_a_part_and_fails_where_it_pads_otherwise(run: Run, tmp_path: Path) -> None:
    """pytorchcv's pads are those of 331 pixels; at 353 the stem already halves an even map."""
    layers = "(float64 or structure) and (cell_stem_0 or predictions) and not exact"
    chosen = ("-k", layers, f"--junit-xml={tmp_path / 'junit.xml'}")
    code, said = run("--candidate=pytorchcv", "--image-size=353", *chosen)
    assert code == 1, said
    assert "parity: pytorchcv shows 909 of 915 layers (99%) of large-353; unobservable, and not judged: 5" in said
    assert "2 unobservable" in said
    assert "cell_stem_0.comb_iter_1.left.separable_7x7_1.depthwise: operation" in said
    assert "it gives: padding of 3 before instead of 2" in said
    skipped = [
        case.get("name", "")
        for case in ET.parse(tmp_path / "junit.xml").iter("testcase")
        if case.find("skipped") is not None
    ]
    assert len(skipped) == 2
    assert all("final_layer.predictions" in name for name in skipped)


def test_nothing_passes_by_not_being_visible() -> None:
    code, said = start_here("--candidate=pytorchcv", "-k", "large-331 and float64 and predictions")
    assert code == USAGE_ERROR
    assert "nothing can be judged: pytorchcv shows none of the layers that are selected" in said


@pytest.mark.slow
def test_two_references_are_compared(run: Run) -> None:
    code, said = run(*SMALL, "--candidate=official", "-k", "stem_0")
    assert code == 0, said
    assert "mobile-65: official against official" in said


@pytest.mark.slow
def test_a_reference_that_differs_is_found_at_its_layer(run: Run, tmp_path: Path) -> None:
    """Its layers are not run one by one."""
    wider = [(r"slim\.max_pool2d\(net, pooling_shape,", "slim.max_pool2d(net, pooling_shape + 2,")]
    root = checkouts.slim(official.find().root, tmp_path / "slim", wider)
    code, said = run(*SMALL, f"--candidate=slim:{root}", "-k", "stem_0 and (float64 or structure)")
    assert code == 1, said
    assert "cell_stem_0.comb_iter_0.right.max_pool: not replayed (fails exact-float64, float64)" in said


BAD = {
    "--adapter=a.toml": "--adapter says how --candidate MODULE:CALLABLE is built, which is not given",
    "--candidate=no_such": "--candidate: unknown candidate 'no_such': expected channels_last",
    "--candidate=pytorchcv --variant=mobile": "cannot be judged as mobile-224: it has PNASNet-5 large alone",
    "--candidate=pytorchcv --image-size=300": "cannot be judged as large-300: it takes images of 323 to 354 pixels",
    "--candidate=pytorchcv --image-size=331 --image-size=400": "cannot be judged as large-400",
    "--candidate=channels_last --full-imagenet": "cannot go with --full-imagenet, which evaluates the port",
}


@pytest.mark.parametrize(("given", "said"), BAD.items())
def test_a_candidate_that_cannot_be_judged_so(given: str, said: str) -> None:
    with pytest.raises(pytest.UsageError) as caught:
        parse(*given.split())
    assert said in str(caught.value)


@pytest.mark.parametrize("given", ["", "--variant=large"])
def test_networks_that_were_not_asked_for_are_left_out_and_that_is_said(given: str) -> None:
    options = parse("--candidate=pytorchcv", *given.split())
    assert [str(network) for network in options.networks] == ["large-331", "large-323"]
    assert options.left_out[0] == "large-97x131 is left out: it takes images of 323 to 354 pixels alone"
    said = "\n".join(header(options))
    assert all(line in said for line in options.left_out)


def test_the_head_names_the_code_on_both_sides() -> None:
    """The file or folder, the version, and the commit where the code lies in a checkout."""
    said = header(parse())
    assert any(
        re.fullmatch(rf"parity:   the port: \S+ in {ROOT}/pnasnet_torch( \(commit .*\))?", line) for line in said
    )
    assert any(re.fullmatch(r"parity:   official: tf-object-detection \S+ in .+\.whl", line) for line in said)
    said = header(parse("--candidate=pytorchcv"))
    assert any(re.fullmatch(r"parity:   pytorchcv: \d\S+ in .+/pytorchcv", line) for line in said)


def test_the_head_tells_what_the_environment_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    line = next(line for line in header(parse()) if "the environment sets" in line)
    assert {"ONEDNN_DEFAULT_FPMATH_MODE=BF16", "OMP_NUM_THREADS=3"} <= {*line.partition("sets ")[2].split(", ")}


def test_what_is_shown_is_said_in_words() -> None:
    network = Network("mobile", 224, 224)
    assert share(network, []) == "726 of 726 layers (100%) of mobile-224"
    adds = ["cell_0.comb_iter_0.combine.add", "cell_0.comb_iter_1.combine.add"]
    unobservable = [*adds, "cell_4.avg_pool_1", "cell_4.1x1"]
    words = "722 of 726 layers (99%) of mobile-224; unobservable, and not judged: 2 add, 1 1x1, 1 avg_pool"
    assert share(network, unobservable) == words


def test_the_header_says_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GB of memory" not in "\n".join(header(parse()))
    for module in ("parity.session.options", "parity.plugin.header"):
        monkeypatch.setattr(f"{module}.memory", lambda: 4e9)
    assert "parity: 4.0 GB of memory: less is computed at once, which takes longer" in header(parse())
    # Mobile has room in it.
    assert "GB of memory" not in "\n".join(header(parse("--variant=mobile")))
