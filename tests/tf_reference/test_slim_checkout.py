"""Every style of the official source's history is the same network."""

import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import checkouts
from tf_reference.errors import InputError
from tf_reference.graph import GraphSpec, ReferenceGraph, Variable, reference_graph
from tf_reference.layers import Layer
from tf_reference.official import Source, find

Layers = dict[str, np.ndarray]
Substitutions = list[tuple[str, str]]
IMPORT = r"^import tensorflow as tf$"
CONTRIB = "".join(
    f"\nfrom tensorflow.contrib import {name} as contrib_{name}" for name in ("framework", "layers", "slim", "training")
)
SLIM = "import tensorflow.compat.v1 as tf\nimport tf_slim as slim"
NO_ALIAS = (r"^slim = tf\.contrib\.slim$", "")
TO_SLIM = (r"tf\.contrib\.(framework|layers)\.", "slim.")
# What was a name of TF1 is spelt out, and takes its arguments by the names of TF2.
TO_COMPAT: Substitutions = [
    (r"tf\.(logging|summary|train|variable_scope)\b", r"tf.compat.v1.\1"),
    (r"tf\.random_uniform\(\s*noise_shape", "tf.random.uniform(shape=noise_shape"),
    (r"tf\.pad\(net, pad_arr\)", "tf.pad(tensor=net, paddings=pad_arr)"),
    (r"tf\.nn\.avg_pool\(", "tf.compat.v2.nn.avg_pool2d("),
    (r"tf\.shape\(net\)", "tf.shape(input=net)"),
    (r"tf\.reduce_mean\(x, ", "tf.reduce_mean(input_tensor=x, axis="),
]
# Each style: what to replace in the pinned files (their own style is the first), and what the result then holds.
STYLES: dict[str, tuple[Substitutions, list[str]]] = {
    "first-release": (
        [(r"net = \[net\]", "net = tf.split(axis=get_channel_index(), num_or_size_splits=1, value=net)")],
        ["slim = tf.contrib.slim", "net = tf.split("],
    ),
    "contrib-as-attribute": ([], ["slim = tf.contrib.slim", "tf.contrib.training.HParams", "@tf.contrib.framework"]),
    "contrib-imported": (
        [(IMPORT, rf"import tensorflow as tf{CONTRIB}"), (r"tf\.contrib\.(\w+)", r"contrib_\1"), *TO_COMPAT],
        ["slim = contrib_slim", "contrib_layers.l2", "@contrib_framework", "v1.logging", "v2.nn.avg_pool2d"],
    ),
    "tf-slim": (
        [
            (IMPORT, f"{SLIM}\ntf.disable_v2_behavior()"),
            NO_ALIAS,
            TO_SLIM,
            (r"tf\.contrib\.training", "slim.training"),
        ],
        ["slim.training.HParams", "arg_scope = slim.arg_scope", "@slim.add_arg_scope", "slim.l2_reg", "slim.flatten"],
    ),
    "tf-slim-and-contrib": (
        [
            (IMPORT, f"{SLIM}\nfrom tensorflow.contrib import training as contrib_training"),
            NO_ALIAS,
            TO_SLIM,
            (r"tf\.contrib\.training", "contrib_training"),
        ],
        ["contrib_training.HParams", "import tf_slim as slim", "slim.variance_scaling_initializer", "tf.logging"],
    ),
}


@pytest.fixture(scope="module")
def tiny(small: GraphSpec) -> GraphSpec:
    """One cell behind the stem's two: every operation of the network."""
    return replace(small, hparams=(*small.hparams, ("num_cells", 1)))


@pytest.fixture(scope="module")
def training(tiny: GraphSpec) -> GraphSpec:
    """With drop path, dropout and the auxiliary head, which needs a larger image and a second cell."""
    hparams = (*tiny.hparams, ("num_cells", 2))
    return replace(tiny, height=128, width=128, dtype="float32", training=True, hparams=hparams)


@pytest.fixture(scope="module")
def pinned(source: Source, tiny: GraphSpec) -> ReferenceGraph:
    """The pinned source's evaluation graph."""
    return reference_graph(source, tiny)


@pytest.fixture(scope="module")
def expected(pinned: ReferenceGraph, run: Callable[[ReferenceGraph], Layers]) -> Layers:
    """Every layer of the pinned source's evaluation graph."""
    return run(pinned)


@pytest.fixture
def checkout(source: Source, empty_cache: Path, tmp_path: Path) -> Callable[[Substitutions], Path]:
    """What makes a checkout's research/slim with the pinned networks, text replaced in them."""
    return partial(checkouts.slim, source.root, tmp_path / "models/research/slim")


def parts(graph: ReferenceGraph) -> tuple[list[Layer], dict[str, Variable]]:
    """Return layers in their order, and variables."""
    # Without tensors: one is called after its call, which each revision spells its way.
    return [replace(layer, tensor="") for layer in graph.layers.values()], graph.variables


# Of the others, each has its own way to import what these two have, and is left to tests-all.
QUICK = ("first-release", "tf-slim-and-contrib")


@pytest.mark.parametrize(
    "style", [pytest.param(style, marks=[] if style in QUICK else [pytest.mark.slow]) for style in STYLES]
)
def test_every_style_gives_the_same_values(
    style: str,
    pinned: ReferenceGraph,
    expected: Layers,
    checkout: Callable[..., Path],
    run: Callable[..., Layers],
) -> None:
    """The same layers and variables, and the same values for the same weights, bit for bit."""
    styled = reference_graph(find(f"slim:{checkout(STYLES[style][0])}"), pinned.spec)
    assert parts(styled) == parts(pinned)
    values = run(styled)
    assert values.keys() == expected.keys()
    assert [name for name in values if values[name].tobytes() != expected[name].tobytes()] == []


@pytest.mark.slow
@pytest.mark.parametrize("style", ["contrib-imported", "tf-slim"])
def test_a_style_trains_the_same_network(
    style: str, source: Source, training: GraphSpec, checkout: Callable[..., Path]
) -> None:
    """Two of the other styles are the pinned source's own, and one is made of parts of these."""
    styled = reference_graph(find(f"slim:{checkout(STYLES[style][0])}"), training)
    assert parts(styled) == parts(reference_graph(source, training))
    assert any(name.startswith("aux_") for name in styled.variables)


@pytest.mark.parametrize("style", STYLES)
def test_every_style_is_what_it_is_called(style: str, checkout: Callable[..., Path]) -> None:
    substitutions, parts = STYLES[style]
    text = "".join(path.read_text() for path in sorted(checkout(substitutions).glob("nets/nasnet/*.py")))
    assert [part for part in parts if part not in text] == []
    assert ("tf.contrib" in text) == (style in {"contrib-as-attribute", "first-release"})


def test_tensorflow_2_behaviour_stays_switched_on(checkout: Callable[..., Path], tf: Any) -> None:
    """Though the newest style switches it off for the whole process."""
    root = checkout(STYLES["tf-slim"][0])
    assert "tf.disable_v2_behavior()" in (root / "nets/nasnet/pnasnet.py").read_text()
    find(f"slim:{root}").load("nets.nasnet.pnasnet")
    assert tf.executing_eagerly()
    assert tf.compat.v1.resource_variables_enabled()


def test_every_substitution_replaces_something(source: Source) -> None:
    with zipfile.ZipFile(source.root) as wheel:
        text = "".join(wheel.read(f"nets/nasnet/{name}.py").decode() for name in ("pnasnet", "nasnet", "nasnet_utils"))
    patterns = {pattern for substitutions, _ in STYLES.values() for pattern, _ in substitutions}
    assert [pattern for pattern in patterns if not re.search(pattern, text, re.MULTILINE)] == []


def test_a_checkout_that_was_altered_is_another_network(
    pinned: ReferenceGraph,
    expected: Layers,
    checkout: Callable[..., Path],
    run: Callable[..., Layers],
) -> None:
    """Its layers and variables are the same; the values tell."""
    root = checkout([(r"batch_norm_epsilon=0.001", "batch_norm_epsilon=0.002")])
    altered = reference_graph(find(f"slim:{root}"), pinned.spec)
    assert altered.layers.keys() == pinned.layers.keys()
    assert altered.variables == pinned.variables
    values = run(altered)
    assert values["conv0"].tobytes() == expected["conv0"].tobytes()
    assert not np.allclose(values["conv0_bn"], expected["conv0_bn"], rtol=1e-5)


def test_a_revision_before_mobile_says_so(checkout: Callable[..., Path], small: GraphSpec) -> None:
    root = checkout([("build_pnasnet_mobile", "build_another")])
    with pytest.raises(InputError, match="this source has no PNASNet-5 mobile") as caught:
        reference_graph(find(f"slim:{root}"), replace(small, variant="mobile"))
    assert str(root) in str(caught.value)


def test_the_fingerprint_is_that_of_the_three_files(checkout: Callable[..., Path]) -> None:
    root = checkout([])
    before = find(f"slim:{root}").fingerprint
    (root / "nets/other.py").write_text("VALUE = 1\n")
    assert find(f"slim:{root}").fingerprint == before
    for name in ("pnasnet", "nasnet", "nasnet_utils"):
        path = root / f"nets/nasnet/{name}.py"
        text = path.read_text()
        path.write_text(f"{text}# changed\n")
        assert find(f"slim:{root}").fingerprint != before
        path.write_text(text)


def test_the_checkout_s_own_files_are_imported(checkout: Callable[..., Path], source: Source) -> None:
    root = checkout([])
    module = find(f"slim:{root}").load("nets.nasnet.pnasnet")
    assert module.__file__ == str(root / "nets/nasnet/pnasnet.py")
    assert module.nasnet_utils.__file__ == str(root / "nets/nasnet/nasnet_utils.py")
    assert str(source.root) in str(source.load("nets.nasnet.pnasnet").__file__)


@pytest.mark.parametrize("line", ["import nothing_like_this", "from tensorflow.contrib import rnn"])
def test_what_a_checkout_needs_and_lacks_is_named(line: str, checkout: Callable[..., Path]) -> None:
    root = checkout([(IMPORT, f"import tensorflow as tf\n{line}")])
    with pytest.raises(InputError, match=r"nets\.nasnet\.pnasnet cannot be imported") as caught:
        find(f"slim:{root}").load("nets.nasnet.pnasnet")
    assert str(root) in str(caught.value)
    assert line.split()[-1] in str(caught.value)
