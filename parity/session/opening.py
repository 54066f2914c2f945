"""Opens what a run is judged by."""

from collections.abc import Collection, Mapping

from parity.core.computing import Step, no_progress
from parity.core.layers import Network
from parity.reference.interface import Reference
from parity.reference.live import LiveReference
from parity.reference.opening import record
from parity.reference.process import OfficialProcess
from parity.reference.remote import RemoteReference
from parity.session.options import Options


def open_reference(
    options: Options,
    selection: Mapping[tuple[str, Network], Collection[str]],
    step: Step = no_progress,
    process: OfficialProcess | None = None,
) -> Reference:
    """Return what the `selection` (names by gate and network) is judged by.

    That is the stored reference where there is one, or else the official network as it runs, in the `process` if there
    is one, recorded if that is asked for. Its graphs are built, if they have to be.
    """
    if options.stored:
        return options.stored
    live = LiveReference(options)
    live.build(selection, step)
    running = RemoteReference(live, process) if process else live
    if options.record is None:
        return running
    return record(running, options, selection, options.record, options.compression)
