"""Several references in one run: each judges the candidate by itself, and is told from the others."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from parity.core.layers import Network
from parity.core.specification import labelled
from parity.plugin.reference_options import one_running
from parity.reference.live import LiveReference, synthetic_of
from parity.session.options import Options
from parity.session.session import ParitySession, Selection
from tests import checkouts
from tests.parity.plugin.test_options import parse
from tests.parity.starting import start
from tf_reference import official

POOL = "cell_stem_0.comb_iter_0.right.max_pool"
LAYERS = ("cell_stem_0.comb_iter_0.left.bn_sep_5x5_2", POOL, "cell_stem_0.comb_iter_0.combine.add")
# What is altered in the checkout: its pools are larger.
WIDER = [(r"slim\.max_pool2d\(net, pooling_shape,", "slim.max_pool2d(net, pooling_shape + 2,")]


@pytest.fixture(scope="module")
def altered(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A slim checkout in which one operation is another, as --reference names it."""
    root = checkouts.slim(official.find().root, tmp_path_factory.mktemp("slim"), WIDER)
    assert "pooling_shape + 2" in (root / "nets/nasnet/nasnet_utils.py").read_text()
    return f"slim:{root}"


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A pnasnet-tf checkout, as --reference names it."""
    return f"pnasnet-tf:{checkouts.flat(official.find().root, tmp_path_factory.mktemp('flat'))}"


@pytest.mark.parametrize(
    ("references", "labels"),
    [
        (["official"], [""]),
        (["slim:a"], [""]),
        (["official", "pnasnet-tf:a"], ["official", "pnasnet-tf"]),
        (["slim:a", "official", "slim:b"], ["slim-1", "official", "slim-2"]),
    ],
)
def test_a_label_is_the_kind(references: list[str], labels: list[str]) -> None:
    """None where there is one reference, numbered where a kind repeats: no label begins another."""
    assert labelled(references) == dict(zip(labels, references, strict=True))


def names(*arguments: str) -> list[str]:
    """Return the names of the networks that a run with these arguments judges."""
    return [str(network) for network in parse(*arguments).networks]


def test_a_network_is_judged_by_each_reference(altered: str, flat: str) -> None:
    """One after the other, as far as the reference has that network."""
    assert names("--reference=official", f"--reference={flat}") == [
        "large-331-official",
        "large-331-pnasnet-tf",
        "large-323-official",
        "large-323-pnasnet-tf",
        "large-97x131-official",
        "large-97x131-pnasnet-tf",
        "mobile-224-official",
        "mobile-97x131-official",
    ]
    mobile = names("--variant=mobile", "--image-size=224", f"--reference={altered}", "--reference=official")
    assert mobile == ["mobile-224-slim", "mobile-224-official"]


def test_one_reference_has_no_label(flat: str) -> None:
    """Nor has one that is given twice."""
    assert names(f"--reference={flat}") == ["large-331", "large-323", "large-97x131"]
    assert names("--variant=mobile", "--reference=official", "--reference=official") == ["mobile-224", "mobile-97x131"]


@pytest.mark.parametrize("more", [(), ("--reference=official",), ("--variant=large",)])
def test_a_variant_that_a_reference_lacks_is_refused(more: tuple[str, ...], flat: str) -> None:
    with pytest.raises(pytest.UsageError) as caught:
        parse("--variant=mobile", f"--reference={flat}", *more)
    assert f"--variant mobile: --reference {flat} has PNASNet-5 large alone" in str(caught.value)


def test_every_reference_takes_the_same_photograph(flat: str) -> None:
    """A network has the photograph that it has without the other references."""
    options = parse("--reference=official", f"--reference={flat}")
    images = [options.images_of(network)[0].name for network in options.networks]
    of_large = ["chelsea.jpg", "chelsea.jpg", "coffee.jpg", "coffee.jpg", "chelsea.jpg", "chelsea.jpg"]
    assert images == [*of_large, "coffee.jpg", "chelsea.jpg"]


def test_every_reference_takes_the_same_weights(synthetic: Path) -> None:
    """They are made by the pinned official source, whatever else is run."""
    for reference in ("official", "slim:nowhere", "pnasnet-tf:nowhere"):
        assert synthetic_of(Options((), None, (), (reference,), 0, 1), "mobile") == synthetic


def test_a_command_carries_all_references(altered: str) -> None:
    arguments = ("--variant=mobile", "--reference=official", f"--reference={altered}")
    assert set(parse(*arguments).arguments) == set(arguments)


@pytest.mark.parametrize("option", ["--record", "--full-imagenet"])
@pytest.mark.parametrize("stored", [True, False])
def test_what_takes_one_network_that_runs(option: str, stored: bool, altered: str) -> None:
    if stored:
        references = ["golden"]
        refusal = "cannot go with --reference golden"
    else:
        references = ["official", altered]
        refusal = f"takes one --reference, and not official, {altered}"
    config = cast(pytest.Config, SimpleNamespace(getoption=lambda name: references))
    with pytest.raises(pytest.UsageError, match=re.escape(f"{option} {refusal}")):
        one_running(config, option)


def test_a_recording_of_two_references_is_refused(altered: str, tmp_path: Path) -> None:
    with pytest.raises(pytest.UsageError, match="--record takes one --reference"):
        parse(f"--record={tmp_path / 'trace.h5'}", "--reference=official", f"--reference={altered}")


@pytest.mark.slow
def test_only_the_networks_of_an_altered_reference_fail(altered: str) -> None:
    """They fail at the operation that was altered, which the verdict names."""
    networks = [Network("mobile", 65, 65, label) for label in ("official", "slim")]
    options = Options(tuple(networks), None, (), ("official", altered), 0, 1)
    gates = ("structure", "exact-float32")
    selection: Selection = {(gate, network): frozenset(LAYERS) for network in networks for gate in gates}
    session = ParitySession(options, selection, LiveReference(options))
    results = [session.result(gate, network, layer) for (gate, network) in selection for layer in LAYERS]
    session.close()
    failed = [(result.network, result.gate, result.layer) for result in results if not result]
    assert failed == [("mobile-65-slim", "exact-float32", layer) for layer in LAYERS[1:]]
    (verdict,) = session.verdicts
    (culprit,) = verdict.culprits
    assert (verdict.network, culprit.layer) == ("mobile-65-slim", POOL)


@pytest.mark.slow
def test_the_screen_and_the_report_tell_them_apart(altered: str, tmp_path: Path) -> None:
    arguments = ("--variant=mobile", "--image-size=65", "--reference=official", f"--reference={altered}")
    selection = f"test_exact and float32 and ({' or '.join(LAYERS)})"
    code, printed = start(tmp_path, *arguments, "-k", selection, f"--report={tmp_path}")
    assert code == int(pytest.ExitCode.TESTS_FAILED), printed
    assert f"parity: mobile-65-official, mobile-65-slim: the port against official, {altered}" in printed
    assert "mobile-65-slim: 1 culprit, 1 layers downstream" in printed
    assert re.search(r"^mobile-65-official +exact-float32 +3 +0 ", printed, re.M)
    assert re.search(r"^mobile-65-slim +exact-float32 +3 +FAILED 2 ", printed, re.M)
    next_command = re.search(r"a closer look: pytest parity -k 'mobile-65-slim and .*", printed)
    assert next_command
    assert "--reference=official" in next_command[0]
    assert f"--reference={altered}" in next_command[0]
    report = json.loads((tmp_path / "report.json").read_text())
    references = [(reference["label"], reference["name"]) for reference in report["provenance"]["references"]]
    assert references == [("official", "official"), ("slim", altered)]
    assert [network["reference"] for network in report["networks"]] == ["official", "slim"]


@pytest.mark.slow
def test_a_keyword_selects_one_reference(altered: str, tmp_path: Path) -> None:
    arguments = ("--variant=mobile", "--image-size=65", "--reference=official", f"--reference={altered}")
    code, printed = start(tmp_path, *arguments, "--collect-only", "-q", "-k", "slim and conv0_bn")
    assert code == 0
    assert set(re.findall(r"\[(\S+?)-(?:float\d\d-)?conv0_bn\]", printed)) == {"mobile-65-slim"}
