"""Several references in one run: each judges the port by itself, and is told from the others."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from parity.core.layers import Network
from parity.core.specification import labelled
from parity.plugin.reference_options import one_running
from parity.reference.live import LiveReference, checkpoint_of
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
    return list(map(str, parse(*arguments).networks))


def test_a_network_is_judged_by_each_reference(altered: str, flat: str) -> None:
    """One after the other, as far as it has that network."""
    both = [f"large-{size}-{label}" for size in ("331", "323", "97x131") for label in ("official", "pnasnet-tf")]
    alone = ["mobile-224-official", "mobile-97x131-official"]
    assert names("--reference=official", f"--reference={flat}") == [*both, *alone]
    two = names("--variant=mobile", "--image-size=224", f"--reference={altered}", "--reference=official")
    assert two == ["mobile-224-slim", "mobile-224-official"]


def test_one_reference_has_no_label(flat: str) -> None:
    """Nor has one that is given twice."""
    assert names(f"--reference={flat}") == ["large-331", "large-323", "large-97x131"]
    assert names("--variant=mobile", "--reference=official", "--reference=official") == ["mobile-224", "mobile-97x131"]


@pytest.mark.parametrize("more", [(), ("--reference=official",), ("--variant=large",)])
def test_a_variant_that_a_reference_lacks_is_refused(more: tuple[str, ...], flat: str) -> None:
    with pytest.raises(pytest.UsageError) as caught:
        parse("--variant=mobile", f"--reference={flat}", *more)
    assert f"--variant mobile: --reference {flat} has PNASNet-5 large alone" in str(caught.value)


def test_a_checkpoint_needs_no_variant_where_there_is_but_one(flat: str, tmp_path: Path) -> None:
    (tmp_path / "model.ckpt.index").touch()
    assert parse(f"--reference={flat}", f"--checkpoint={tmp_path / 'model.ckpt'}").checkpoint
    with pytest.raises(pytest.UsageError, match="say which, with --variant"):
        parse("--reference=official", f"--reference={flat}", f"--checkpoint={tmp_path / 'model.ckpt'}")


def test_every_reference_takes_the_same_photograph(flat: str) -> None:
    """A network has the one that it has without the other references."""
    options = parse("--reference=official", f"--reference={flat}")
    images = [options.images_of(network)[0].name for network in options.networks]
    of_large = ["chelsea.jpg", "chelsea.jpg", "coffee.jpg", "coffee.jpg", "chelsea.jpg", "chelsea.jpg"]
    assert images == [*of_large, "coffee.jpg", "chelsea.jpg"]


def test_every_reference_takes_the_same_weights(synthetic: Path) -> None:
    """They are the pinned source's, whatever else is run."""
    for reference in ("official", "slim:nowhere", "pnasnet-tf:nowhere"):
        assert checkpoint_of(Options((), None, (), (reference,), 0, 1), "mobile") == synthetic


def test_a_command_carries_all_references(altered: str) -> None:
    given = ("--variant=mobile", "--reference=official", f"--reference={altered}")
    assert set(parse(*given).arguments) == set(given)


@pytest.mark.parametrize("option", ["--record", "--full-imagenet"])
@pytest.mark.parametrize("stored", [True, False])
def test_what_takes_one_network_that_runs(option: str, stored: bool, altered: str) -> None:
    given = ["golden"] if stored else ["official", altered]
    config = cast(pytest.Config, SimpleNamespace(getoption=lambda name: given))
    words = f"cannot go with --reference {given[0]}" if stored else f"takes one --reference, and not {', '.join(given)}"
    with pytest.raises(pytest.UsageError, match=re.escape(f"{option} {words}")):
        one_running(config, option)


def test_a_recording_of_two_references_is_refused(altered: str, tmp_path: Path) -> None:
    with pytest.raises(pytest.UsageError, match="--record takes one --reference"):
        parse(f"--record={tmp_path / 'trace.h5'}", "--reference=official", f"--reference={altered}")


@pytest.mark.slow
def test_only_the_networks_of_an_altered_reference_fail(altered: str) -> None:
    """At the operation that was altered, which the verdict names."""
    networks = [Network("mobile", 65, 65, label) for label in ("official", "slim")]
    options = Options(tuple(networks), None, (), ("official", altered), 0, 1)
    gates = ("structure", "exact-float32")
    selection: Selection = {(gate, network): frozenset(LAYERS) for network in networks for gate in gates}
    session = ParitySession(options, selection, LiveReference(options))
    results = [session.result(gate, network, layer) for (gate, network) in selection for layer in LAYERS]
    session.close()
    failed = [(result.network, result.gate, result.layer) for result in results if not result]
    assert failed == [("mobile-65-slim", "exact-float32", layer) for layer in LAYERS[1:]]
    assert [(verdict.network, [culprit.layer for culprit in verdict.culprits]) for verdict in session.verdicts] == [
        ("mobile-65-slim", [POOL])
    ]


@pytest.mark.slow
def test_the_screen_and_the_report_tell_them_apart(altered: str, tmp_path: Path) -> None:
    given = ("--variant=mobile", "--image-size=65", "--reference=official", f"--reference={altered}")
    selection = " or ".join(LAYERS)
    code, said = start(tmp_path, *given, "-k", f"test_exact and float32 and ({selection})", f"--report={tmp_path}")
    assert code == int(pytest.ExitCode.TESTS_FAILED), said
    assert f"parity: mobile-65-official, mobile-65-slim: the port against official, {altered}" in said
    assert "mobile-65-slim: 1 culprit, 1 layers downstream" in said
    assert re.search(r"^mobile-65-official +exact-float32 +3 +0 ", said, re.M)
    assert re.search(r"^mobile-65-slim +exact-float32 +3 +FAILED 2 ", said, re.M)
    again = re.search(r"a closer look: pytest parity -k 'mobile-65-slim and .*", said)
    assert again
    assert all(f"--reference={reference}" in again[0] for reference in ("official", altered))
    data = json.loads((tmp_path / "report.json").read_text())
    assert [(one["label"], one["name"]) for one in data["provenance"]["references"]] == [
        ("official", "official"),
        ("slim", altered),
    ]
    assert [one["reference"] for one in data["networks"]] == ["official", "slim"]


@pytest.mark.slow
def test_a_keyword_selects_one_reference(altered: str, tmp_path: Path) -> None:
    given = ("--variant=mobile", "--image-size=65", "--reference=official", f"--reference={altered}")
    code, said = start(tmp_path, *given, "--collect-only", "-q", "-k", "slim and conv0_bn")
    assert code == 0
    assert set(re.findall(r"\[(\S+?)-(?:float\d\d-)?conv0_bn\]", said)) == {"mobile-65-slim"}
