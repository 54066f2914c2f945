"""How networks, layers and blocks are spelled."""

import pytest
from torch import nn

from parity.core.layers import Network, block, layer_modules, parse_size, port_layers
from pnasnet_torch import PNASNet
from pnasnet_torch.cell import Scope
from pnasnet_torch.operations import RandomOperation

NO_SIZES = [
    "",
    "0",
    "-3",
    "331x",
    "x331",
    "x",
    "axb",
    "1x2x3",
    "0x5",
    "5x0",
    "331.0",
    "3 31",
    " 331",
    "331X331",
    "+331",
]


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (Network("mobile", 224, 224), "mobile-224"),
        (Network("large", 331, 331), "large-331"),
        (Network("large", 300, 480), "large-300x480"),
    ],
)
def test_a_network_is_called_by_its_variant_and_size(network: Network, name: str) -> None:
    assert str(network) == name
    assert parse_size(network.size) == (network.height, network.width)


@pytest.mark.parametrize(
    ("text", "size"), [("331", (331, 331)), ("300x480", (300, 480)), ("1", (1, 1)), ("480x300", (480, 300))]
)
def test_a_size_is_a_side_or_height_and_width(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", [*NO_SIZES, "٣٣١", "３３１", "²", "331×331"])  # noqa: RUF001
def test_anything_else_is_no_size(text: str) -> None:
    """The message repeats what was given and shows what is expected."""
    with pytest.raises(ValueError, match="expected a side such as 331, or HEIGHTxWIDTH") as caught:
        parse_size(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("conv0", "conv0"),
        ("cell_5.1x1", "cell_5"),
        ("cell_stem_0.comb_iter_0.left.relu", "cell_stem_0"),
        ("cell_11/beginning_bn/gamma", "cell_11"),
        ("final_layer.predictions", "final_layer"),
    ],
)
def test_a_layer_or_variable_lies_in_a_block(name: str, part: str) -> None:
    assert block(name) == part


@pytest.mark.parametrize(("variant", "count", "cells"), [("large", 915, 12), ("mobile", 726, 9)])
def test_the_number_of_layers(variant: str, count: int, cells: int) -> None:
    """Each layer has one name; together they lie in the stem, all cells and the final layer."""
    layers = port_layers(variant)
    assert len(layers) == len(set(layers)) == count
    stem = {"conv0", "conv0_bn", "cell_stem_0", "cell_stem_1"}
    assert set(map(block, layers)) == stem | {f"cell_{number}" for number in range(cells)} | {"final_layer"}


def test_layers_are_all_that_changes_values(tiny: PNASNet) -> None:
    """Every module without children is a layer, but for what does nothing in evaluation."""
    modules = layer_modules(tiny)
    assert {"conv0", "conv0_bn", "final_layer.mean", "final_layer.FC", "final_layer.predictions"} <= modules.keys()
    leaves = {name: module for name, module in tiny.named_modules() if not any(module.children())}
    idle = leaves.keys() - modules.keys()
    assert all(isinstance(leaves[name], (RandomOperation, Scope)) for name in idle)
    assert {"final_layer.dropout", "cell_0.comb_iter_0.drop_path.left"} <= idle


def test_an_empty_scope_is_no_layer(tiny: PNASNet) -> None:
    before = layer_modules(tiny).keys()
    tiny.add_module("idle", Scope())
    tiny.add_module("flat", nn.Flatten())
    assert layer_modules(tiny).keys() == before
    tiny.add_module("extra", nn.ReLU())
    assert layer_modules(tiny).keys() - before == {"extra"}
