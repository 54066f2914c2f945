"""What `--candidate` names, and what is said of that which is none."""

import sys
from pathlib import Path

import pytest
import torch

from parity.candidate.find import find_candidate, known
from parity.candidate.implementation import Implementation
from parity.core.layers import Network, port_layers
from tf_reference.errors import InputError

MOBILE = Network("mobile", 65, 65)
MODULE = """
from dataclasses import replace
import torch
from torch import nn
from pnasnet_torch import PNASNet, pnasnet_mobile, variant

class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = pnasnet_mobile()
    def forward(self, images):
        return self.net.predict(images)

# A model with the port's names, and a forward that ends at the logits.
class Fork(nn.Module):
    def __init__(self):
        super().__init__()
        self.ported = [pnasnet_mobile()]
        for name, child in self.ported[0].named_children():
            self.add_module(name, child)
    def forward(self, images):
        return self.ported[0](images)

def same(): return pnasnet_mobile()
def fork(): return Fork()
def ten(): return PNASNet(replace(variant("mobile").config, num_classes=10))
def other(): return Wrapped()
def nothing(): return 3
"""
ADAPTER = """
[modules]
'.+' = 'net.\\g<0>'
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a user's module."""
    (tmp_path / "users_models.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return "users_models"


def test_a_model_whose_names_are_known_needs_no_adapter(module: str) -> None:
    candidate = find_candidate(f"{module}:same", None)
    assert isinstance(candidate, Implementation)
    assert candidate.refuses(Network("large", 331, 331)) == "it has PNASNet-5 mobile alone"
    assert candidate.make(MOBILE, "float32").layers.keys() == set(port_layers("mobile"))


def reached(candidate: Implementation) -> set[str]:
    parts = candidate.parts(MOBILE)
    assert parts.failure is None
    return {name for kind, name in parts.found if kind == "layer"}


def test_the_port_itself_is_run_to_its_last_layer(module: str) -> None:
    candidate = find_candidate(f"{module}:same", None)
    assert isinstance(candidate, Implementation)
    assert candidate.unobservable(MOBILE) == frozenset()
    assert reached(candidate) == set(port_layers("mobile"))


def test_what_only_has_its_names_may_end_at_the_logits(module: str) -> None:
    candidate = find_candidate(f"{module}:fork", None)
    assert isinstance(candidate, Implementation)
    assert candidate.unobservable(MOBILE) == {"final_layer.predictions"}
    assert reached(candidate) == set(port_layers("mobile")) - {"final_layer.predictions"}


def test_a_model_of_other_classes_is_refused_before_it_is_judged(module: str) -> None:
    find_candidate(f"{module}:same", None).examine([MOBILE])
    candidate = find_candidate(f"{module}:ten", None)
    with pytest.raises(InputError, match=r"ten gives a model of 10 classes: the official network has 1,001"):
        candidate.examine([MOBILE])


def test_a_package_that_is_missing_is_refused_before_anything_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"timm:create_model cannot be had: .*timm.*; install that package"):
        find_candidate("timm", None).examine([MOBILE])


def test_a_model_with_other_names_is_read_by_its_adapter(module: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(ADAPTER)
    candidate = find_candidate(f"{module}:other", path)
    assert isinstance(candidate, Implementation)
    model = candidate.make(MOBILE, "float64")
    assert model.layers.keys() == set(port_layers("mobile"))
    assert next(model.module.parameters()).dtype == torch.float64
    assert candidate.refuses(Network("large", 331, 331)) == "it has PNASNet-5 mobile alone"


def test_a_model_whose_names_nobody_knows_is_aligned_by_its_operations(module: str) -> None:
    candidate = find_candidate(f"{module}:other", None)
    assert isinstance(candidate, Implementation)
    assert candidate.adapter.module("cell_0.1x1") == "net.cell_0.1x1"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timmm", "unknown candidate 'timmm': expected channels_last, "),
        ("pnasnet-pytorch", "expected pnasnet-pytorch:PATH with a checkout"),
        ("pnasnet-pytorch:/no/such", "with model.py"),
        ("no_such_module:x", "cannot be had"),
        ("slim:/no/such", "/no/such"),
        ("users_models:nothing", r"users_models:nothing\(\) gives int: expected a torch"),
    ],
)
def test_what_is_no_candidate(name: str, message: str, module: str) -> None:
    with pytest.raises(InputError, match=message):
        find_candidate(name, None)


def test_what_is_known_is_said() -> None:
    assert {"timm", "pytorchcv", "pretrainedmodels", "pnasnet-pytorch:PATH", "compile", "channels_last"} <= set(known())
