"""The cases: what each test item judges, which are there, in which order, and which a run has selected."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pytest

from parity.core.errors import InputError
from parity.core.layers import Case, Network
from parity.core.policy import GATES, TRAINING_GATES
from parity.reference.requirements import require_tensorflow
from parity.session.names import judged_names
from parity.session.options import Options

if TYPE_CHECKING:
    from parity.reference.interface import StoredReference
    from parity.session.session import Selection

OPTIONS = pytest.StashKey[Options]()
DESELECTED = pytest.StashKey[list[Case]]()
# Every item's place in the order in which they were collected.
PLACES = pytest.StashKey[dict[pytest.Item, int]]()
# The first names of options that other plugins have.
TAKEN = pytest.StashKey[frozenset[str]]()


def generate_cases(metafunc: pytest.Metafunc) -> None:
    """Give a test with the marker `gate` one item for each network and layer (block, image), and each of its gates."""
    marker = metafunc.definition.get_closest_marker("gate")
    if marker is None:
        return
    options = metafunc.config.stash[OPTIONS]
    of = marker.kwargs.get("of", "layers")
    cases_by_id: dict[str, Case] = {}
    for gate in marker.args:
        if gate not in options.gates or (options.candidate and gate not in options.candidate.gates):
            continue
        # test_exact has two gates: what follows "exact-", their dtype, tells their items apart.
        kind = ""
        if gate.startswith("exact"):
            kind = f"{gate.removeprefix('exact-')}-"
        for network in options.networks:
            for name in judged_names(gate, network, of, options):
                cases_by_id[f"{network}-{kind}{name}"] = Case(gate, network, name)
    metafunc.parametrize("case", cases_by_id.values(), ids=cases_by_id.keys())


def describe_item(item: pytest.Item) -> None:
    """Let `-k` find an item by its gate, network and name as they are printed; and let no warning of others fail it."""
    places = item.config.stash[PLACES]
    places[item] = len(places)
    own_cases = cases([item])
    if own_cases:
        # pytest's own ids have the gates by the names of tests, and other letters than ASCII as numbers.
        item.extra_keyword_matches.update(map(str, own_cases[0]))
        item.add_marker(pytest.mark.filterwarnings("default"))


def cases(items: Iterable[pytest.Item]) -> list[Case]:
    """Return the cases of those of `items` that have one."""
    item_cases: list[Case] = []
    for item in items:
        if not hasattr(item, "callspec"):  # an item without parameters
            continue
        case = item.callspec.params.get("case")
        if isinstance(case, Case):  # others' tests may have a parameter of that name
            item_cases.append(case)
    return item_cases


def drop_other_gates(items: list[pytest.Item], config: pytest.Config) -> None:
    """Deselect what stands for a test whose gates the reference knows nothing for, and which so has no case."""
    # pytest makes one item of a test without cases, and would skip it.
    dropped = [item for item in items if item.get_closest_marker("gate") and not cases([item])]
    if dropped:
        items[:] = [item for item in items if item not in dropped]
        config.hook.pytest_deselected(items=dropped)


def sort_items(items: list[pytest.Item], options: Options, places: dict[pytest.Item, int]) -> None:
    """Sort the items: one network after the other, as each takes much memory, and in each the strongest gate first.

    So a network's first failure is its most telling one. Orders that other plugins gave them are undone. Tests without
    a case come first, in the order that they have.
    """

    def key(item: pytest.Item) -> tuple[int, int, int]:
        own_cases = cases([item])
        if not own_cases:
            return -1, -1, 0  # all alike: a sort leaves them in their order
        case = own_cases[0]
        return options.networks.index(case.network), options.gates.index(case.gate), places[item]

    items.sort(key=key)


def check_selection(session: pytest.Session) -> None:
    """Raise pytest.UsageError where `-k` or `-m` leaves nothing of parity, or where what is left cannot be judged."""
    options = session.config.stash[OPTIONS]
    deselected = session.config.stash[DESELECTED]
    selected = cases(session.items)
    holds = ""
    if options.stored:
        holds = f"--reference {options.references[0]} holds {', '.join(_held(options.stored, options.networks))}"
    if deselected and not session.items:
        raise pytest.UsageError(_nothing_selected(deselected, holds))
    if selected and all(is_unobservable(case, options) for case in selected):
        raise pytest.UsageError(f"nothing can be judged: {options.judged} shows none of the layers that are selected")
    if options.stored and not session.items:
        raise pytest.UsageError(f"nothing can be judged: {holds}")
    # Listing the items computes nothing, and so needs no TensorFlow; what the evaluation needs, it has asked for.
    takes_official = any(case.gate != "imagenet" for case in selected)
    if takes_official and not options.stored and not session.config.option.collectonly:
        try:
            require_tensorflow()
        except InputError as error:
            raise pytest.UsageError(str(error)) from error


def _nothing_selected(deselected: Sequence[Case], holds: str) -> str:
    """Return the message that no case is selected, with what would select some, and what a stored reference holds."""
    example = deselected[len(deselected) // 2].name
    message = (
        f"none of {len(deselected):,} cases is selected: -k takes a part of a test's name, such as cell_5, "
        f"{example} or float32; pytest parity --collect-only -q lists all"
    )
    return f"{message}; {holds}" if holds else message


def is_unobservable(case: Case, options: Options) -> bool:
    """Tell whether the case's layer is unobservable in the candidate."""
    return case.name in options.unobservable[case.network]


def _held(stored: "StoredReference", networks: Iterable[Network]) -> list[str]:
    """Return the gates that the stored reference has something for, in any of the networks."""
    gates: list[str] = []
    for gate in (*GATES, *TRAINING_GATES):
        names = [stored.names(gate, network) for network in networks]
        if any(names):
            gates.append(gate)
    return gates


def selection(items: Iterable[pytest.Item], options: Options) -> "Selection":
    """Return the names that the items ask for and that can be judged, by gate and network."""
    names: defaultdict[tuple[str, Network], set[str]] = defaultdict(set)
    for case in cases(items):
        if not is_unobservable(case, options):
            names[case.gate, case.network].add(case.name)
    return {key: frozenset(group) for key, group in names.items()}
