"""The golden digests: they are the official network's, and a port that differs in a bit or a layer fails by them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from parity.core import command, integers
from parity.core.layers import Network, port_layers
from parity.reference.golden import digests
from parity.reference.golden.__main__ import PROG, main
from parity.reference.golden.stored import GoldenReference
from parity.reference.live import LiveReference
from parity.session.options import Options
from parity.session.session import ParitySession
from pnasnet_torch import PNASNet
from pnasnet_torch.weights import load_tf_variables
from tests.parity.reference.golden.conftest import judged
from tf_reference.errors import InputError

SMALL = digests.NETWORKS[-1]
STEM = ("conv0", "conv0_bn", "cell_stem_0.relu", "cell_stem_0.1x1")


def test_they_are_of_both_networks_and_of_sizes_odd_and_even() -> None:
    """Of the maps that are halved first: a side has (side - 1) // 2 pixels there."""
    oddness: dict[str, set[int]] = {}
    for network in digests.NETWORKS:
        for side in (network.height, network.width):
            oddness.setdefault(network.variant, set()).add((side - 1) // 2 % 2)
    assert oddness == {"large": {0, 1}, "mobile": {0, 1}}
    assert {"large-331", "mobile-224"} <= {str(network) for network in digests.NETWORKS}


@pytest.mark.parametrize("network", digests.NETWORKS, ids=str)
def test_layers_share_a_digest_only_if_they_must(network: Network) -> None:
    """The layers are the port's, and two have equal values only if they do the same to the same."""
    golden = digests.read(network)
    assert set(golden.layers) == set(port_layers(network.variant))
    for dtype in digests.DTYPES:
        inputs_by_digest: dict[str, set[object]] = {}
        for row in golden.layers.values():
            assert len(row.digests[dtype]) == digests.DIGITS
            inputs_by_digest.setdefault(row.digests[dtype], set()).add(row.inputs)
        assert [inputs for inputs in inputs_by_digest.values() if len(inputs) > 1] == []


def test_a_sound_port_passes() -> None:
    assert all(judged(STEM).values())


def test_another_bit_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one value of one layer has another bit, the layer fails, and so does what lies behind it."""

    def load(model: PNASNet, variables: dict[str, np.ndarray]) -> None:
        load_tf_variables(model, variables)
        model.get_parameter("conv0_bn.bias").data[0] += 1

    monkeypatch.setattr("parity.candidate.model.load_tf_variables", load)
    results = judged(STEM)
    assert [layer for layer in STEM if not results[layer]] == ["conv0_bn", "cell_stem_0.relu", "cell_stem_0.1x1"]
    assert "expected" in str(results["conv0_bn"])


def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: object) -> None:
    """Put a file in the place of the small network's, with its content after `change`."""
    monkeypatch.setattr(digests, "FOLDER", tmp_path)
    content = json.loads((Path(digests.__file__).parent / f"{SMALL}.json").read_text())
    change(content)  # type: ignore[operator]
    digests.path_of(SMALL).write_text(json.dumps(content))


def test_a_layer_that_the_port_lacks_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(content: dict[str, dict[str, object]]) -> None:
        content["layers"]["cell_0.more"] = content["layers"]["conv0"]

    planted(tmp_path, monkeypatch, change)
    assert "cell_0.more" in GoldenReference().layers(SMALL)
    assert "the candidate does not report this layer" in str(judged(["cell_0.more"])["cell_0.more"])


def test_a_layer_that_the_official_network_lacks_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(tmp_path, monkeypatch, lambda content: content["layers"].pop("cell_0.1x1"))
    assert "the official network has no such layer" in str(judged(["cell_0.1x1"])["cell_0.1x1"])


def test_another_shape_fails_the_structure_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(tmp_path, monkeypatch, lambda content: content["variables"].update({"conv0/weights": [3, 3, 3, 33]}))
    session = ParitySession(options(), {("structure", SMALL): frozenset({"conv0"})}, GoldenReference())
    assert "variable conv0/weights: candidate (3, 3, 3, 32), official (3, 3, 3, 33)" in str(
        session.result("structure", SMALL, "conv0")
    )


def options() -> Options:
    """Return the options of a run of the small network on one thread, judged by the golden digests."""
    return Options((SMALL,), None, (), ("golden",), 0, 1)


def test_other_integers_are_no_fault_of_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where NumPy's streams have changed, this is said, and no layer fails."""
    exact_images = integers.exact_images
    monkeypatch.setattr(integers, "exact_images", lambda *arguments: -exact_images(*arguments))
    with pytest.raises(InputError, match=r"the integers that NumPy .* draws are not those"):
        judged(STEM)


@pytest.mark.parametrize("content", ["", "{}", '{"layers": {"conv0": [[1], [], "one digest"]}}'])
def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(digests, "FOLDER", tmp_path)
    digests.path_of(SMALL).write_text(content)
    with pytest.raises(InputError, match="holds no golden digests"):
        GoldenReference().layers(SMALL)


def test_a_file_is_written_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = digests.read(SMALL)
    text = digests.path_of(SMALL).read_text()
    monkeypatch.setattr(digests, "FOLDER", tmp_path)
    digests.write(golden)
    assert digests.read(SMALL) == golden
    assert digests.path_of(SMALL).read_text() == text


def test_what_changed_is_said() -> None:
    golden = digests.read(SMALL)
    rows = dict(golden.layers)
    del rows["conv0"]
    rows["conv0_bn"] = rows["cell_0.1x1"]
    changed = replace(golden, layers=rows)
    assert digests.differences(golden, golden) == []
    assert digests.differences(golden, changed) == ["layers: 1 changed, first conv0_bn; 1 gone, first conv0"]
    assert digests.differences(changed, golden) == ["layers: 1 changed, first conv0_bn; 1 new, first conv0"]


@pytest.mark.parametrize(
    "network", [*(pytest.param(network, marks=pytest.mark.slow) for network in digests.NETWORKS[:-1]), SMALL], ids=str
)
def test_they_are_those_of_the_official_network(network: Network) -> None:
    """Recomputed on TensorFlow from the official source."""
    from parity.reference.golden.__main__ import make

    run_options = Options((network,), None, (), ("official",), digests.SEED, 2)
    recomputed = make(LiveReference(run_options), run_options, network)
    assert digests.differences(digests.read(network), recomputed) == []


def test_where_nothing_can_be_written_is_found_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As in an installation that is read alone; here, a file is in the way."""
    (tmp_path / "golden").touch()
    monkeypatch.setattr(digests, "FOLDER", tmp_path / "golden")
    assert command.run(main, PROG, []) == command.USAGE_ERROR
    assert f"{tmp_path / 'golden'} cannot be written: " in capsys.readouterr().err
