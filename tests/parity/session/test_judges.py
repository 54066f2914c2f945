"""Of stored values several jobs are judged at once: with the same results, and ended as one job is."""

from collections.abc import Callable
from threading import Barrier, current_thread, main_thread
from typing import Any

import pytest
import torch

from parity.core.layers import network_at
from parity.gates.values import ExactGate
from parity.reference.golden.stored import GoldenReference
from parity.session.options import Options
from parity.session.session import ParitySession
from pnasnet_torch.operations import BatchNorm
from tests.waiting import DEADLINE

NETWORKS = (network_at("mobile", "97x131"), network_at("large", "97x131"))
GATES = ("exact-float32", "exact-float64", "structure")
STEM = frozenset({"conv0", "conv0_bn", "cell_stem_0.1x1"})


def session_of(threads: int) -> ParitySession:
    """A session on the golden digests of two networks."""
    reference = GoldenReference()
    options = Options(NETWORKS, None, (), ("golden",), 0, threads, stored=reference)
    return ParitySession(options, {(gate, network): STEM for network in NETWORKS for gate in GATES}, reference)


def results(threads: int) -> ParitySession:
    """A session that was asked for all."""
    session = session_of(threads)
    for network in NETWORKS:
        for gate in GATES:
            session.result(gate, network, "conv0")
    session.close()
    return session


@pytest.mark.parametrize("fault", [False, True], ids=["sound", "fault"])
def test_any_number_of_them_gives_the_same(fault: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault:
        forward = BatchNorm.forward
        # In float64 alone, so that one gate fails and the other does not.
        monkeypatch.setattr(
            BatchNorm, "forward", lambda norm, x: forward(norm, x) + (1 if x.dtype == torch.float64 else 0)
        )
    sessions = [results(threads) for threads in (1, 2, 4)]
    for session in sessions[1:]:
        assert session.results == sessions[0].results
        assert [list(gates) for gates in session.results.values()] == [["structure", *GATES[:2]]] * 2
        assert session.verdicts == sessions[0].verdicts
        assert session.layers == sessions[0].layers
    assert len(sessions[0].verdicts) == (len(NETWORKS) if fault else 0)


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Have something done at the beginning of each exact gate."""

    def plant(action: Callable[[], None]) -> None:
        judge = ExactGate.judge

        def planted(gate: ExactGate, official: Any) -> Any:
            action()
            return judge(gate, official)

        monkeypatch.setattr(ExactGate, "judge", planted)

    return plant


def test_as_many_at_once_as_there_are_threads(during: Callable[[Callable[[], None]], None]) -> None:
    """Each computes on one thread of PyTorch's."""
    together = Barrier(2)
    threads: list[int] = []

    def meet() -> None:
        together.wait(DEADLINE)
        threads.append(torch.get_num_threads())

    during(meet)
    results(2)
    assert threads == [1] * 4


def test_who_looks_on_sees_one_after_the_other(during: Callable[[Callable[[], None]], None]) -> None:
    threads = []
    during(lambda: threads.append(current_thread()))
    reference = GoldenReference()
    options = Options(NETWORKS, None, (), ("golden",), 0, 2, stored=reference)
    selection = {("exact-float32", network): STEM for network in NETWORKS}
    session = ParitySession(options, selection, reference, observe=lambda *_: None)
    assert session.result("exact-float32", NETWORKS[1], "conv0")
    session.close()
    assert threads == [main_thread()] * 2


def test_an_error_ends_it(during: Callable[[Callable[[], None]], None]) -> None:
    """Where it is raised, and not when it comes to what was not judged."""

    def fail() -> None:
        raise ZeroDivisionError("planted")

    during(fail)
    session = session_of(2)
    with pytest.raises(ZeroDivisionError, match="planted"):
        session.result(GATES[1], NETWORKS[1], "conv0")
    session.close()
    assert not any(session.results[NETWORKS[0]].get(gate) for gate in GATES[:2])
