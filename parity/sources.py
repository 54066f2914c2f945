"""Finds what a run is judged by: what `--reference` names, recorded if `--record` says so."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from parity.environment import provenance
from parity.layers import Network
from parity.options import GOLDEN, Options
from parity.references import LiveSource, ReferenceSource


class StoredSource(ReferenceSource, Protocol):
    """What the official network gave in an earlier run: its weights and images are stored with it."""

    @property
    def gates(self) -> Sequence[str]:
        """The gates that it may have values for."""
        ...

    @property
    def provenance(self) -> dict[str, Any]:
        """What it was made from, by what, and when."""
        ...

    @property
    def networks(self) -> Sequence[Network]: ...

    def layers(self, network: Network) -> Sequence[str]:
        """The official network's."""
        ...

    def names(self, gate: str, network: Network) -> Sequence[str]:
        """What was judged when it was made."""
        ...


def stored(reference: str) -> StoredSource:
    """The golden digests, or the trace in a file. Raises InputError if that is none."""
    if reference == GOLDEN:
        from parity.golden.source import GoldenSource

        return GoldenSource()
    from parity.trace.source import TraceSource
    from parity.trace.store import Reader

    return TraceSource(Reader(Path(reference)))


def open_source(options: Options, selection: Mapping[tuple[str, Network], Collection[str]]) -> ReferenceSource:
    """What the `selection` (names by gate and network) is judged by."""
    if options.stored:
        return options.stored
    live = LiveSource(options)
    if not options.record:
        return live
    from parity.trace.recording import Recording
    from parity.trace.store import Writer

    recorded: dict[str, dict[str, list[str]]] = {}
    for (gate, network), names in selection.items():
        recorded.setdefault(str(network), {})[gate] = sorted(names)
    made = {"created": datetime.now(UTC).isoformat(timespec="seconds"), "source_sha256": live.sources[""].fingerprint}
    about = {"provenance": provenance(options) | made, "recorded": recorded}
    return Recording(live, Writer(options.record, options.compression), about)
