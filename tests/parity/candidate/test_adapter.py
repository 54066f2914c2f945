"""Adapters as data: those that come with parity, and what is said of one that is none."""

from pathlib import Path

import pytest

from parity.candidate.adapter import BUILT_IN, built_in, read
from parity.core.layers import port_layers
from tf_reference.errors import InputError

RULES = "make = 'm:f'\n[modules]\n'.*' = '\\g<0>'\n"
BAD = {
    "colour = 1\n": r"unknown entries colour: expected some of arguments, ",
    "make = 'm:f'\n": "either `names`, the name of a scheme, or rules",
    "names = 'timm'\n[modules]\n": "either `names`",
    "names = 'no'\n": "unknown names 'no': expected one of ours, pnasnet-pytorch",
    "[modules]\n'(' = 'x'\n": "a rule is no regular expression",
    "names = 'timm'\nunobservable = ['(']\n": "unterminated subpattern",
    "names = 'timm'\nsizes = [331]\n": "`sizes` is the least and the largest image size",
    "names = \n": "is no adapter",
    "[modules]\n'conv0' = 'stem\\2'\n": "a rule is no regular expression and its replacement: invalid group",
    "[modules]\nconv0.conv = 'x'\n": "a rule is no regular expression and its replacement",
    "[modules]\n'conv0' = 1\n": "a rule is no regular expression and its replacement",
    "names = 'timm'\nvariants = 'large'\n": "`variants` is 'large': expected a list of texts",
    "names = 'timm'\nunobservable = 'final_layer'\n": "`unobservable` is 'final_layer': expected a list of texts",
    "names = 'timm'\nmethod = 1\n": "`method` is 1: expected a text",
    "names = 'timm'\narguments = ['a']\n": r"`arguments` is \['a'\]: expected a table",
}


def written(folder: Path, text: str) -> Path:
    """Write an adapter file, and return its path."""
    path = folder / "mine.toml"
    path.write_text(text)
    return path


WHOLE = """
unobservable = ['cell_4\\.1x1']
not_replayable = ['.+\\.concat']
kept = ['aux\\..+']
[modules]
'cell_(\\d+)\\.(.+)' = 'cells.\\1.\\2'
[functions]
'cell_(\\d+)\\.comb_iter_(\\d)\\.combine\\.add' = 'cells.\\1:add.\\2'
[tensors]
'conv0.weight' = 'first'
"""


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_layer_has_a_module_of_its_own_or_is_not_visible(name: str) -> None:
    adapter = built_in(name)
    modules = [adapter.module(layer) for layer in port_layers("large")]
    visible = [module for module in modules if module]
    assert len(set(visible)) == len(visible) > 800


def test_what_an_adapter_says(tmp_path: Path) -> None:
    mine = read(written(tmp_path, WHOLE))
    assert mine.module("cell_3.1x1") == "cells.3.1x1"
    assert not mine.module("cell_4.1x1")
    assert not mine.shows("cell_4.1x1")
    assert mine.does_more("cell_4.cell_output.concat")
    assert not mine.does_more("cell_4.comb_iter_0.right.max_pool")
    # A function gives it, of which a module may have the weights.
    assert not mine.module("cell_2.comb_iter_0.combine.add")
    assert mine.function("cell_2.comb_iter_0.combine.add") == "cells.2:add.0"
    assert mine.names.parameter("conv0.weight") == "first"
    assert mine.names.parameter("cell_3.1x1.weight") == "cells.3.1x1.weight"
    assert mine.keeps("aux.weight")
    assert not mine.keeps("first")


def test_an_adapter_with_rules_of_its_own(tmp_path: Path) -> None:
    mine = read(written(tmp_path, RULES))
    assert mine.make == "m:f"
    assert mine.module("cell_0.1x1") == "cell_0.1x1"
    assert mine.names.variants == ()


def test_an_adapter_for_the_port_s_own_names(tmp_path: Path) -> None:
    mine = read(written(tmp_path, "names = 'ours'\n"))
    assert mine.module("cell_0.1x1") == "cell_0.1x1"


@pytest.mark.parametrize(("text", "message"), BAD.items())
def test_a_file_that_is_no_adapter(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(written(tmp_path, text))
    assert "mine.toml" in str(caught.value)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.toml cannot be read: No such file"):
        read(tmp_path / "no.toml")
