"""Opens what is stored of an earlier run, and records what runs."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

from parity.core.layers import Network
from parity.core.specification import GOLDEN, Specification
from parity.reference.interface import Reference, StoredReference
from parity.reference.provenance import provenance


def stored(reference: str) -> StoredReference:
    """Return the golden digests, or the trace in the file `reference`. Raise InputError if that is none."""
    if reference == GOLDEN:
        from parity.reference.golden.stored import GoldenReference

        return GoldenReference()
    # Imported here: h5py, which traces need, is imported with them alone.
    from parity.reference.trace.store import Reader
    from parity.reference.trace.stored import TraceReference

    return TraceReference(Reader(Path(reference)))


def record(
    running: Reference,
    specification: Specification,
    selection: Mapping[tuple[str, Network], Collection[str]],
    path: Path,
    compression: str,
) -> Reference:
    """Return the official network as it runs, which writes a trace at `path` of all that judging takes.

    `selection` has what is judged: names by gate and network.
    """
    from parity.reference.trace.recording import Recording
    from parity.reference.trace.store import Writer

    recorded: dict[str, dict[str, list[str]]] = {}
    for (gate, network), names in selection.items():
        recorded.setdefault(str(network), {})[gate] = sorted(names)
    origin = provenance(specification)
    origin["created"] = datetime.now(UTC).isoformat(timespec="seconds")
    # A recording takes one reference, and one alone has an empty label.
    origin["source_sha256"] = running.official_sources[""].fingerprint
    return Recording(running, Writer(path, compression), {"provenance": origin, "recorded": recorded})
