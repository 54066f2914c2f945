"""Models of others are made, each for itself, or refused with what is wrong with them."""

import sys
from typing import Self

import pytest
import torch
from torch import nn

from parity.candidate.adapter import Adapter
from parity.candidate.making import Maker
from parity.core.errors import InputError
from parity.core.pinning import Pins
from pnasnet_torch.naming import OURS

HERE = __name__


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 1001))


KEPT = network()


def kept() -> nn.Module:
    return KEPT


def wrapping() -> nn.Module:
    return nn.Sequential(KEPT)


def raises() -> nn.Module:
    raise RuntimeError("no weights file")


def leaves() -> nn.Module:
    sys.exit("licence missing")


def takes(classes: int) -> nn.Module:
    return nn.Linear(2, classes)


def gives_none() -> None:
    return None


def gives_a_script() -> nn.Module:
    return torch.jit.trace(network(), torch.zeros(1, 2))  # type: ignore[no-untyped-call]


def gives_compiled() -> nn.Module:
    return torch.compile(network())  # type: ignore[return-value]


def gives_compiled_parts() -> nn.Module:
    model = nn.Sequential(gives_compiled(), nn.ReLU())
    model[1].compile()
    return model


def gives_nothing_to_fill() -> nn.Module:
    return nn.ReLU()


def gives_no_values() -> nn.Module:
    with torch.device("meta"):
        return network()


def gives_lazy_layers() -> nn.Module:
    return nn.Sequential(nn.LazyLinear(1001))


def changes() -> nn.Module:
    torch.set_default_dtype(torch.float64)
    print("hello")
    return network()


BAD: dict[str, str] = {
    "raises": r"raises\(\) raises RuntimeError: no weights file",
    "leaves": r"leaves\(\) raises SystemExit: licence missing",
    "takes": r"takes\(\) raises TypeError: takes\(\) missing 1 required positional argument: 'classes'",
    "KEPT": r"KEPT is a Sequential: expected a function without arguments that gives a model",
    "HERE": r"HERE is a str: expected a function without arguments",
    "gives_none": r"gives_none\(\) gives NoneType: expected a torch\.nn\.Module",
    "gives_a_script": "gives what torch.jit made of a model, which hides its layers: give the model itself",
    "gives_nothing_to_fill": "gives a ReLU without parameters",
    "gives_no_values": "on the device meta, which holds no values: make it on the CPU",
    "gives_lazy_layers": "with lazy layers, which have no shapes yet: run it once on images first",
    "not_there": "has no attribute 'not_there'; correct the name",
}


def maker(function: str) -> Maker:
    return Maker(Adapter(OURS, f"{HERE}:{function}"), Pins())


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this module be imported by its name, however pytest imported it."""
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])


class WithoutEvaluation(nn.Linear):
    def train(self, mode: bool = True) -> Self:
        raise NotImplementedError("no such mode")


def gives_one_without_evaluation() -> nn.Module:
    return WithoutEvaluation(1, 1)


def test_a_model_that_cannot_be_put_in_evaluation_mode_is_told() -> None:
    """It is not judged in training mode."""
    with pytest.raises(InputError, match="raises NotImplementedError: no such mode"):
        maker("gives_one_without_evaluation").make("float32")


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_compiled_modules_are_the_modules() -> None:
    made = maker("gives_compiled_parts").make("float32")
    first, second = made.children()
    assert type(first) is type(network())
    assert second._compiled_call_impl is None


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_compiled_model_is_the_model() -> None:
    assert type(maker("gives_compiled").make("float32")) is type(network())


@pytest.mark.parametrize("function", BAD)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_what_gives_no_model_is_refused_with_the_reason(function: str) -> None:
    with pytest.raises(InputError, match=BAD[function]):
        maker(function).make("float32")


def test_a_method_that_a_model_does_not_have() -> None:
    with pytest.raises(InputError, match="gives a Sequential without the method forwrd"):
        Maker(Adapter(OURS, f"{HERE}:network", method="forwrd"), Pins()).make("float32")


@pytest.mark.parametrize("function", ["kept", "wrapping"])
def test_one_model_given_twice_is_two(function: str) -> None:
    """Else float64 and float32 would share their weights."""
    made = maker(function)
    first, second = made.make("float64"), made.make("float32")
    assert (next(first.parameters()).dtype, next(second.parameters()).dtype) == (torch.float64, torch.float32)
    assert made.repeats


def test_models_that_are_new_each_time_are_not_copied() -> None:
    made = maker("network")
    assert made.make("float32") is not made.make("float32")
    assert not made.repeats


def test_what_it_prints_and_changes_is_kept_from_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    pins = Pins()
    made = Maker(Adapter(OURS, f"{HERE}:changes"), pins).make("float32")
    assert next(made.parameters()).dtype == torch.get_default_dtype() == torch.float32
    assert list(pins.changed) == ["default_dtype"]
    assert capsys.readouterr().out == ""
