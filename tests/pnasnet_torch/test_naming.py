"""Names of other implementations: what is known of each is tested against the implementation itself in tests/parity."""

import re

import pytest
import torch

from pnasnet_torch import pnasnet_large
from pnasnet_torch.naming import NamingError, Scheme, parse_scheme, scheme, schemes


def port_names() -> list[str]:
    with torch.device("meta"):
        return list(pnasnet_large().state_dict())


@pytest.mark.parametrize("name", schemes())
def test_each_weight_has_a_name_of_its_own_and_comes_back(name: str) -> None:
    state = {key: number for number, key in enumerate(port_names())}
    named = scheme(name).rename(state)
    assert len(named) == len(state)
    assert named.keys().isdisjoint(key for key in state if key.startswith("cell"))
    assert scheme(name).restore(named | {"x.num_batches_tracked": 1}, state) == state


@pytest.mark.parametrize(
    ("name", "path", "module"),
    [
        (
            "timm",
            "cell_4.comb_iter_2.right.separable_3x3_2.depthwise",
            "cell_4.comb_iter_2_right.separable_2.depthwise_conv2d",
        ),
        ("timm", "cell_4.comb_iter_4.right.relu", "cell_4.comb_iter_4_right.act"),
        ("pretrainedmodels", "cell_4.comb_iter_4.right.relu", "cell_4.comb_iter_4_right.relu"),
        ("pytorchcv", "cell_10.comb_iter_1.right.max_pool", "features.stage3.unit3.comb1_right"),
        ("pytorchcv", "cell_1.1x1", "features.stage1.unit3.conv_1x1.conv"),
        ("pnasnet-pytorch", "cell_stem_1.path2_conv", "stem2.preprocess0.conv_2"),
        ("pnasnet-pytorch", "cell_10.comb_iter_4.right.bn_1", "cells.10._ops.9.op.2"),
    ],
)
def test_what_a_layer_is_there(name: str, path: str, module: str) -> None:
    assert scheme(name).module(path) == module


def test_a_sum_is_no_module_there() -> None:
    assert [scheme(name).module("cell_0.comb_iter_0.combine.add") for name in schemes()] == [""] * len(schemes())


def test_weights_without_a_place_are_named() -> None:
    with pytest.raises(NamingError, match=r"timm has no place for 1 weights:\n  aux_7\.x\.weight"):
        scheme("timm").rename({"aux_7.x.weight": 0, "conv0.weight": 1})


def test_two_weights_of_one_name_are_refused() -> None:
    one = Scheme("one", (), (), ((re.compile(".*"), "same"),))
    with pytest.raises(NamingError, match="no place for 2 weights"):
        one.rename({"a.weight": 0, "b.weight": 1})


def test_what_does_not_fit_is_listed_on_both_sides() -> None:
    with pytest.raises(NamingError, match=r"missing: conv_0\.conv\.weight\n  left over: other\.weight"):
        scheme("timm").restore({"other.weight": 0}, ["conv0.weight"])


def test_unknown_scheme_and_a_rule_that_is_none() -> None:
    with pytest.raises(NamingError, match="expected one of ours, pnasnet-pytorch, pretrainedmodels"):
        scheme("other")
    with pytest.raises(NamingError, match="mine: a rule is no regular expression"):
        parse_scheme("mine", {"modules": {"(": "x"}})
