"""The simpler checks are what they are called: what they let pass, and what not."""

import numpy as np
import pytest

from parity.faults.checks import CHECKS, Panel, Seen

TRUTH = np.random.default_rng(0).normal(size=(1, 8, 8, 16))
SINGLE = TRUTH.astype(np.float32)

LOOSE = {"largest difference 1e-4", "cosine over 0.99", "torch._dynamo same"}


def seen(actual: np.ndarray) -> Seen:
    return Seen("final_layer.FC", actual.astype(np.float32), SINGLE, TRUTH)


@pytest.mark.parametrize("name", CHECKS)
def test_equal_values_pass(name: str) -> None:
    assert CHECKS[name](seen(SINGLE))


@pytest.mark.parametrize("name", CHECKS)
def test_other_values_do_not(name: str) -> None:
    assert not CHECKS[name](seen(SINGLE[:, ::-1]))


@pytest.mark.parametrize(
    ("difference", "passing"),
    [
        (3e-6, {*LOOSE, "logits within 1e-5", "Polygraphy", "torch.testing.assert_close"}),
        (5e-5, LOOSE),
        (1e-2, {"cosine over 0.99"}),
        (1.0, set()),
    ],
)
def test_each_has_its_own_limit(difference: float, passing: set[str]) -> None:
    """Every value is off by as much."""
    assert {name for name, check in CHECKS.items() if check(seen(SINGLE + np.float32(difference)))} == passing


def test_only_the_logits_count_for_the_logits() -> None:
    assert CHECKS["logits within 1e-5"](seen(SINGLE + 1)._replace(layer="conv0"))


def test_a_panel_keeps_the_first_alarm_of_each() -> None:
    """Another shape is one for all; so is a crash, which says nothing of where."""
    panel = Panel({})
    panel.see(seen(SINGLE)._replace(layer="first"))
    assert panel.alarms == {}
    panel.see(seen(SINGLE + np.float32(1e-2))._replace(layer="second"))
    panel.see(seen(SINGLE[:, :4])._replace(layer="third"))
    assert panel.alarms == {name: "third" if "cosine" in name or "logits" in name else "second" for name in CHECKS}
    crashed = Panel({})
    crashed.crash()
    assert crashed.alarms == dict.fromkeys(CHECKS, "")
