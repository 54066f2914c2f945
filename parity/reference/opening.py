"""Opens what is stored of an earlier run, and records what runs."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

from parity.core.layers import Network
from parity.core.specification import GOLDEN, Specification
from parity.reference.interface import Reference, StoredReference
from parity.reference.live import LiveReference
from parity.reference.provenance import provenance


def stored(reference: str) -> StoredReference:
    """The golden digests, or the trace in a file. Raises InputError if that is none."""
    if reference == GOLDEN:
        from parity.reference.golden.stored import GoldenReference

        return GoldenReference()
    from parity.reference.trace.store import Reader
    from parity.reference.trace.stored import TraceReference

    return TraceReference(Reader(Path(reference)))


def record(
    live: LiveReference,
    specification: Specification,
    selection: Mapping[tuple[str, Network], Collection[str]],
    path: Path,
    compression: str,
) -> Reference:
    """The official network as it runs, which writes a trace of all that the `selection` (names by gate and network) is
    judged by."""
    from parity.reference.trace.recording import Recording
    from parity.reference.trace.store import Writer

    recorded: dict[str, dict[str, list[str]]] = {}
    for (gate, network), names in selection.items():
        recorded.setdefault(str(network), {})[gate] = sorted(names)
    made = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "source_sha256": live.official_sources[""].fingerprint,
    }
    about = {"provenance": provenance(specification) | made, "recorded": recorded}
    return Recording(live, Writer(path, compression), about)
