"""What a session leaves for a report, whoever ran it: pytest, or a call from Python."""

from collections.abc import Mapping
from functools import partial

from parity.report.collect import Observation
from parity.report.columns import Explain
from parity.report.document import Key, Outcome
from parity.report.judgement import Run
from parity.session.options import Options
from parity.session.session import ParitySession


def outcome_of(
    session: ParitySession,
    options: Options,
    run: Run,
    nodes: Mapping[Key, Mapping[str, str]],
    observations: Mapping[tuple[str, str], Mapping[str, Observation]],
) -> Outcome:
    """Return all that a session with these options leaves.

    `nodes` are the selected names with their tests' ids, and `observations` what was kept of the layers' values.
    """
    explained: dict[Key, Explain] = {}
    for network, gates in session.results.items():
        for gate in gates:
            explained[gate, network] = partial(session.explained, gate, network)
    images: set[str] = set()
    for network in options.networks:
        images.update(options.image_names(network))
    return Outcome(
        run=run,
        networks=tuple(dict.fromkeys([*options.networks, *session.results])),
        layers=session.layers,
        results=session.results,
        verdicts=session.verdicts,
        seconds=session.seconds,
        nodes=nodes,
        images=frozenset(images),
        observations=observations,
        explained=explained,
        gates=options.candidate.gates if options.candidate else options.gates,
        unobservable=options.unobservable,
        shown=_shown_in_part(options),
    )


def _shown_in_part(options: Options) -> list[str]:
    """Return a sentence on each network of which the candidate does not show all layers."""
    sentences = []
    # Not strict, since there are no sentences where the port itself is judged, which shows all.
    for sentence, hidden in zip(options.shown, options.unobservable.values(), strict=False):
        if hidden:
            sentences.append(sentence)
    return sentences
