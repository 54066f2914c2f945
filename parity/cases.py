"""The cases: what each test item judges, which are there, in which order, and which a run has selected."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pytest

from parity.environment import require_tensorflow
from parity.layers import WHOLE, Network, block, port_layers
from parity.options import Options
from parity.policy import GATES

if TYPE_CHECKING:
    from parity.session import Selection
    from parity.sources import StoredSource

OPTIONS = pytest.StashKey[Options]()
DESELECTED = pytest.StashKey[list["Case"]]()


class Case(NamedTuple):
    """What one test item judges by `gate`: a layer or a block of a network, or an image for it."""

    gate: str
    network: Network
    name: str


def generate_cases(metafunc: pytest.Metafunc) -> None:
    """Gives a test with the marker `gate` one item for each network and layer (block, image), and each of its gates."""
    marker = metafunc.definition.get_closest_marker("gate")
    if marker is None:
        return
    found: dict[str, Case] = {}
    options = metafunc.config.stash[OPTIONS]
    gates = options.stored.gates if options.stored else GATES
    for gate in [gate for gate in marker.args if gate in gates]:
        for network in options.networks:
            names = _names(marker.kwargs.get("of", "layers"), network, options)
            prefix = f"{network}-{gate.removeprefix('exact-')}-" if gate.startswith("exact") else f"{network}-"
            found |= {prefix + name: Case(gate, network, name) for name in names}
    metafunc.parametrize("case", found.values(), ids=found.keys())


def _names(of: str, network: Network, options: Options) -> Iterable[str]:
    stored = options.stored
    if of == "images":
        return stored.names("preprocess", network) if stored else options.preprocessed
    if of == "validation":
        return [of]
    # What is stored tells already which layers there are; the official network tells when it is built (structure).
    layers = dict.fromkeys([*(stored.layers(network) if stored else ()), *port_layers(network.variant)])
    return [*dict.fromkeys(map(block, layers)), WHOLE] if of == "blocks" else layers


def cases(items: Iterable[pytest.Item]) -> list[Case]:
    """The cases of those of `items` that have one."""
    specs = (item.callspec.params for item in items if hasattr(item, "callspec"))
    return [params["case"] for params in specs if isinstance(params.get("case"), Case)]


def drop_other_gates(items: list[pytest.Item], config: pytest.Config) -> None:
    """Deselects what stands for a test whose gates the reference knows nothing for, and which so has no case."""
    dropped = [item for item in items if item.get_closest_marker("gate") and not cases([item])]
    if dropped:
        items[:] = [item for item in items if item not in dropped]
        config.hook.pytest_deselected(items=dropped)


def sort_items(items: list[pytest.Item], options: Options) -> None:
    """One network after the other, as each takes much memory, and in each the strongest gate first.

    So a network's first failure is its most telling one.
    """

    def key(item: pytest.Item) -> tuple[int, int]:
        found = cases([item])
        return (options.networks.index(found[0].network), GATES.index(found[0].gate)) if found else (-1, -1)

    items.sort(key=key)


def check_selection(session: pytest.Session) -> None:
    """Raises pytest.UsageError where `-k` or `-m` leaves nothing of parity, or where what is left cannot be judged."""
    deselected = session.config.stash[DESELECTED]
    if deselected and not session.items:
        example = deselected[len(deselected) // 2].name
        raise pytest.UsageError(
            f"none of {len(deselected):,} cases is selected: -k takes a part of a test's name, such as cell_5, "
            f"{example} or float32; pytest parity --collect-only -q lists all"
        )
    options = session.config.stash[OPTIONS]
    if options.stored and not session.items:
        gates = ", ".join(options.stored.gates)
        raise pytest.UsageError(f"--reference {options.reference} can judge by these gates alone: {gates}")
    if options.stored:
        _check_held(options.stored, cases(session.items), options.reference)
    elif cases(session.items) and not session.config.option.collectonly:
        require_tensorflow()


def _check_held(stored: "StoredSource", selected: Sequence[Case], reference: str) -> None:
    """Raises pytest.UsageError unless the reference can judge all cases. What the official network lacks, it can."""

    def held(case: Case) -> bool:
        names = stored.names(case.gate, case.network)
        return case.name in names or (bool(names) and case.name not in stored.layers(case.network))

    missing = [case for case in selected if not held(case)]
    if missing:
        gate, network, name = missing[0]
        raise pytest.UsageError(
            f"--reference {reference} was made with another selection and lacks {len(missing):,} of the "
            f"{len(selected):,} cases selected here, such as {gate}, {network}, {name}: select with -k what it holds "
            f"(python -m parity.trace info {reference}), or record all"
        )


def selection(items: Iterable[pytest.Item]) -> "Selection":
    """The names that the items ask for, by gate and network."""
    names: defaultdict[tuple[str, Network], set[str]] = defaultdict(set)
    for case in cases(items):
        names[case.gate, case.network].add(case.name)
    return {key: frozenset(group) for key, group in names.items()}
