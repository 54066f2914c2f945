"""Two recordings of a forward matched: by what each operation is computed from, by what follows it, by neighbours."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping

from parity.candidate.alignment.operations import UNORDERED, Operation
from parity.candidate.alignment.recording import Recording

Matches = dict[Operation, Operation]
# How well two operations agree: in their neighbours, in their attributes, and in their places.
Score = tuple[int, bool, bool]
# Operations without parameters: two of them on the same input, alike in all else, are one.
PLAIN = ("activation", "pool", "subsample", "mean", "softmax")
# How many steps around an operation are looked at, where the whole network behind or before it does not tell.
RADII = (8, 4, 2, 1)


class Graph:
    """A recording as operations that are each another one: what is computed twice is one."""

    def __init__(self, recording: Recording) -> None:
        # Of each operation the first that is the same, and of that one all that are.
        self.first: dict[Operation, Operation] = {recording.images: recording.images}
        self.alike: dict[Operation, list[Operation]] = defaultdict(list)
        known: dict[Hashable, Operation] = {}
        self.operations: list[Operation] = []
        self.inputs: dict[Operation, tuple[Operation, ...]] = {recording.images: ()}
        for operation in recording.operations:
            inputs = tuple(self.first[given] for given in operation.inputs)
            key = (operation.kind, operation.attributes, inputs)
            same = known.setdefault(key, operation) if operation.kind in PLAIN else operation
            self.first[operation] = same
            self.alike[same].append(operation)
            if same is operation:
                self.operations.append(operation)
                self.inputs[operation] = inputs
        self.consumers: dict[Operation, list[tuple[Operation, int]]] = defaultdict(list)
        for operation in self.operations:
            for place, given in enumerate(self.inputs[operation]):
                self.consumers[given].append((operation, place))
        self.images = recording.images

    def ancestry(self) -> Mapping[Operation, Hashable]:
        """Return for each operation what stands for all that it is computed from."""
        labels: dict[Operation, Hashable] = {self.images: "images"}
        for operation in self.operations:
            inputs = [labels[given] for given in self.inputs[operation]]
            if operation.kind in UNORDERED:
                inputs.sort(key=hash)
            labels[operation] = hash((operation.kind, operation.attributes, tuple(inputs)))
        return labels

    def descent(self, in_place: bool) -> Mapping[Operation, Hashable]:
        """Return for each operation what stands for all that is computed from it, with its place in concatenations."""
        labels: dict[Operation, Hashable] = {}
        for operation in reversed(self.operations):
            consumers = []
            for consumer, place in self.consumers[operation]:
                # Many models end at the logits.
                if consumer.kind == "softmax":
                    continue
                # In a sum it tells nothing.
                known_place = place if in_place and consumer.kind == "concat" else 0
                consumers.append(hash((labels[consumer], known_place)))
            labels[operation] = hash((operation.kind, operation.attributes, tuple(sorted(consumers))))
        return labels

    def places(self, operation: Operation) -> list[int]:
        """Return an operation's places in the concatenations that it goes into."""
        return [place for consumer, place in self.consumers[operation] if consumer.kind == "concat"]

    def near(
        self, names: Mapping[Operation, int], radius: int, before: bool, behind: bool
    ) -> Mapping[Operation, Hashable]:
        """Return for each operation without a name what stands for those around it, up to so many steps.

        Those `before` it, `behind` it, or both; beyond one that has a name nobody looks.
        """
        unnamed = [operation for operation in self.operations if operation not in names]
        own: dict[Operation, Hashable] = {operation: ("named", number) for operation, number in names.items()}
        for operation in unnamed:
            own[operation] = hash((operation.kind, operation.attributes))
        labels = dict(own)
        for _step in range(radius):
            further = {}
            for operation in unnamed:
                inputs = [labels[given] for given in self.inputs[operation]] if before else []
                consumers = [labels[consumer] for consumer, _place in self.consumers[operation]] if behind else []
                if operation.kind in UNORDERED:
                    inputs.sort(key=hash)
                consumers.sort(key=hash)
                further[operation] = hash((own[operation], tuple(inputs), tuple(consumers)))
            labels |= further
        return {operation: labels[operation] for operation in unnamed}


def match(official: Graph, candidate: Graph) -> Matches:
    """Return the candidate's operation of each official one, where that is clear."""
    matches: Matches = {official.images: candidate.images}
    official_ancestry, ancestry = official.ancestry(), candidate.ancestry()
    # By all before it and all behind it, as in a sound model; then by either, as before or behind a fault. Where two
    # inputs of a concatenation are exchanged, their places would lead from one to the other.
    _match_unique(
        matches,
        _both(official_ancestry, official.descent(in_place=True)),
        _both(ancestry, candidate.descent(in_place=True)),
    )
    _match_unique(matches, official_ancestry, ancestry)
    _match_unique(matches, official.descent(in_place=False), candidate.descent(in_place=False))
    # A fault that is everywhere leaves little with the same before or behind it: then what is near has to do, as far as
    # it goes, and last what has some neighbours in common.
    while _match_near(matches, official, candidate) or _match_neighbours(matches, official, candidate):
        pass
    return matches


def _match_near(matches: Matches, official: Graph, candidate: Graph) -> bool:
    """Match operations by what is near them, from far to near: each match changes what is told of those beside it."""
    for radius in RADII:
        for directions in ((True, True), (True, False), (False, True)):
            names = {operation: number for number, operation in enumerate(matches)}
            others = {matches[operation]: number for operation, number in names.items()}
            left = official.near(names, radius, *directions)
            right = candidate.near(others, radius, *directions)
            if _match_unique(matches, left, right):
                return True
    return False


def _both(ancestry: Mapping[Operation, Hashable], descent: Mapping[Operation, Hashable]) -> dict[Operation, Hashable]:
    """Return for each operation what stands for all before it and all behind it."""
    return {operation: (ancestry[operation], label) for operation, label in descent.items()}


def _match_unique(
    matches: Matches, official: Mapping[Operation, Hashable], candidate: Mapping[Operation, Hashable]
) -> bool:
    """Match what has a label that nothing else has that is not matched yet; return whether there was any."""
    taken = set(matches.values())
    left = {operation: label for operation, label in official.items() if operation not in matches}
    right = {operation: label for operation, label in candidate.items() if operation not in taken}
    by_label = {label: operation for operation, label in right.items()}
    count_left, count_right = Counter(left.values()), Counter(right.values())
    found: Matches = {}
    for operation, label in left.items():
        if count_left[label] == count_right[label] == 1:
            found[operation] = by_label[label]
    matches.update(found)
    return bool(found)


def _match_neighbours(matches: Matches, official: Graph, candidate: Graph) -> bool:
    """Match operations of one kind that have the most neighbours in common, where each is the other's best."""
    taken = set(matches.values())
    left = [operation for operation in official.operations if operation not in matches]
    right = [operation for operation in candidate.operations if operation not in taken]
    scores: dict[Operation, dict[Operation, Score]] = {}
    for operation in left:
        row = {}
        for other in right:
            if other.kind != operation.kind:
                continue
            agreements = list(_agreements(matches, official, candidate, operation, other))
            # One that is matched elsewhere may be the fault, and does not outweigh one that agrees.
            if any(agreements):
                score = 2 * sum(agreements) - len(agreements)
                # Their places in a concatenation tell apart what is alike in all else, and nothing more.
                places = official.places(operation) == candidate.places(other)
                row[other] = (score, other.attributes == operation.attributes, places)
        scores[operation] = row
    found: Matches = {}
    for operation, row in scores.items():
        best = _best(row)
        if best is None:
            continue
        column = {rival: rival_row[best] for rival, rival_row in scores.items() if best in rival_row}
        if _best(column) is operation:
            found[operation] = best
    matches.update(found)
    return bool(found)


def _best(row: Mapping[Operation, Score]) -> Operation | None:
    """Return what has the highest score, if one alone has it."""
    if not row:
        return None
    highest = max(row.values())
    best = [operation for operation, score in row.items() if score == highest]
    return best[0] if len(best) == 1 else None


def _agreements(
    matches: Matches, official: Graph, candidate: Graph, operation: Operation, other: Operation
) -> Iterator[bool]:
    """Yield for each matched neighbour of an official operation whether it is matched with a neighbour of the other."""
    others = set(candidate.inputs[other])
    for given in official.inputs[operation]:
        if given in matches:
            yield matches[given] in others
    others_next = {consumer for consumer, _ in candidate.consumers[other]}
    for consumer, _ in official.consumers[operation]:
        if consumer in matches:
            yield matches[consumer] in others_next
