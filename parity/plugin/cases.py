"""The cases: what each test item judges, which are there, in which order, and which a run has selected."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from parity.core.errors import InputError
from parity.core.layers import WHOLE, Case, Network, block, port_layers
from parity.core.policy import GATES, TRAINING_GATES
from parity.reference.requirements import require_tensorflow
from parity.session.options import Options

if TYPE_CHECKING:
    from parity.session.session import Selection

OPTIONS = pytest.StashKey[Options]()
DESELECTED = pytest.StashKey[list[Case]]()
# Every item's place in the order in which they were collected.
PLACES = pytest.StashKey[dict[pytest.Item, int]]()
# The first names of options that other plugins have.
TAKEN = pytest.StashKey[frozenset[str]]()


def generate_cases(metafunc: pytest.Metafunc) -> None:
    """Gives a test with the marker `gate` one item for each network and layer (block, image), and each of its gates."""
    marker = metafunc.definition.get_closest_marker("gate")
    if marker is None:
        return
    found: dict[str, Case] = {}
    options = metafunc.config.stash[OPTIONS]
    for gate in marker.args:
        if gate not in options.gates or (options.candidate and gate not in options.candidate.gates):
            continue
        for network in options.networks:
            names = _names(gate, network, marker.kwargs.get("of", "layers"), options)
            prefix = f"{network}-{gate.removeprefix('exact-')}-" if gate.startswith("exact") else f"{network}-"
            found |= {prefix + name: Case(gate, network, name) for name in names}
    metafunc.parametrize("case", found.values(), ids=found.keys())


def _names(gate: str, network: Network, of: str, options: Options) -> Iterable[str]:
    if options.training:
        from parity.core.training_names import names

        held = set(options.stored.names(gate, network)) if options.stored else None
        return [name for name in names(gate, network) if held is None or name in held]
    stored = options.stored
    if of == "images":
        return options.image_names(network)
    if of == "validation":
        return () if stored else [of]
    own = port_layers(network.variant)
    if stored is None:
        return _of(own, of)
    # It tells which layers there are; what it holds is judged, and what only the port has.
    known, held = stored.layers(network), set(stored.names(gate, network))
    official = {*known, *_blocks(known)}
    return [name for name in _of([*known, *own], of) if held and (name in held or name not in official)]


def _of(layers: Iterable[str], of: str) -> Iterable[str]:
    return _blocks(layers) if of == "blocks" else dict.fromkeys(layers)


def _blocks(layers: Iterable[str]) -> Iterable[str]:
    return [*dict.fromkeys(map(block, layers)), WHOLE]


def describe_item(item: pytest.Item) -> None:
    """Let `-k` find an item by the name that the verdict gives its gate; and let no warning of others fail it."""
    places = item.config.stash[PLACES]
    places[item] = len(places)
    found = cases([item])
    if found:
        item.extra_keyword_matches.add(found[0].gate)
        item.add_marker(pytest.mark.filterwarnings("default"))


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


def sort_items(items: list[pytest.Item], options: Options, places: dict[pytest.Item, int]) -> None:
    """One network after the other, as each takes much memory, and in each the strongest gate first, whatever order
    other plugins gave them. So a network's first failure is its most telling one.

    Other tests come first, in the order that they have.
    """

    def key(item: pytest.Item) -> tuple[int, int, int]:
        found = cases([item])
        if not found:
            return -1, -1, 0
        return options.networks.index(found[0].network), options.gates.index(found[0].gate), places[item]

    items.sort(key=key)


def check_selection(session: pytest.Session) -> None:
    """Raises pytest.UsageError where `-k` or `-m` leaves nothing of parity, or where what is left cannot be judged."""
    deselected = session.config.stash[DESELECTED]
    options = session.config.stash[OPTIONS]
    holds = f"--reference {options.references[0]} holds {', '.join(_held(options))}" if options.stored else ""
    if deselected and not session.items:
        example = deselected[len(deselected) // 2].name
        raise pytest.UsageError(
            f"none of {len(deselected):,} cases is selected: -k takes a part of a test's name, such as cell_5, "
            f"{example} or float32; pytest parity --collect-only -q lists all" + (f"; {holds}" if holds else "")
        )
    if (chosen := cases(session.items)) and all(is_unobservable(case, options) for case in chosen):
        raise pytest.UsageError(f"nothing can be judged: {options.judged} shows none of the layers that are selected")
    if options.stored and not session.items:
        raise pytest.UsageError(f"nothing can be judged: {holds}")
    if cases(session.items) and not options.stored and not session.config.option.collectonly:
        try:
            require_tensorflow()
        except InputError as error:
            raise pytest.UsageError(str(error)) from error


def is_unobservable(case: Case, options: Options) -> bool:
    """Whether what is judged does not show the case's layer."""
    return case.name in options.unobservable[case.network]


def _held(options: Options) -> Iterable[str]:
    """The gates that what is stored has something for."""
    stored = options.stored
    gates = (*GATES, *TRAINING_GATES)
    return [gate for gate in gates if stored and any(stored.names(gate, network) for network in options.networks)]


def selection(items: Iterable[pytest.Item], options: Options) -> "Selection":
    """The names that the items ask for and that can be judged, by gate and network."""
    names: defaultdict[tuple[str, Network], set[str]] = defaultdict(set)
    for case in cases(items):
        if not is_unobservable(case, options):
            names[case.gate, case.network].add(case.name)
    return {key: frozenset(group) for key, group in names.items()}
