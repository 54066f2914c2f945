"""Two recordings of a forward matched: by what each operation is computed from, by what follows it, by neighbours."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping

from parity.candidate.alignment.operations import UNORDERED, Operation
from parity.candidate.alignment.recording import Recording

Matches = dict[Operation, Operation]
# Operations without parameters: two of them on the same input, alike in all else, are one.
PLAIN = ("relu", "max_pool", "subsample", "mean", "softmax")


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
    while _match_neighbours(matches, official, candidate):
        pass
    return matches


def _both(ancestry: Mapping[Operation, Hashable], descent: Mapping[Operation, Hashable]) -> dict[Operation, Hashable]:
    """Return for each operation what stands for all before it and all behind it."""
    return {operation: (ancestry[operation], label) for operation, label in descent.items()}


def _match_unique(
    matches: Matches, official: Mapping[Operation, Hashable], candidate: Mapping[Operation, Hashable]
) -> None:
    """Match what has a label that nothing else has that is not matched yet."""
    taken = set(matches.values())
    left = {operation: label for operation, label in official.items() if operation not in matches}
    right = {operation: label for operation, label in candidate.items() if operation not in taken}
    by_label = {label: operation for operation, label in right.items()}
    count_left, count_right = Counter(left.values()), Counter(right.values())
    for operation, label in left.items():
        if count_left[label] == count_right[label] == 1:
            matches[operation] = by_label[label]


def _match_neighbours(matches: Matches, official: Graph, candidate: Graph) -> bool:
    """Match operations of one kind that have the most neighbours in common, where each is the other's best."""
    taken = set(matches.values())
    left = [operation for operation in official.operations if operation not in matches]
    right = [operation for operation in candidate.operations if operation not in taken]
    scores: dict[Operation, dict[Operation, tuple[int, int]]] = {}
    for operation in left:
        row = {}
        for other in right:
            if other.kind != operation.kind:
                continue
            agreements = list(_agreements(matches, official, candidate, operation, other))
            # One that is matched elsewhere may be the fault, and does not outweigh one that agrees.
            if any(agreements):
                score = 2 * sum(agreements) - len(agreements)
                row[other] = (score, int(other.attributes == operation.attributes))
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


def _best(row: Mapping[Operation, tuple[int, int]]) -> Operation | None:
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
