"""Parity from Python: one call, and what it returns is true or false, and tells why."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import nn

from parity.candidate.find import candidate_from
from parity.candidate.implementation import Implementation
from parity.candidate.own_weights import own_weights_of
from parity.core.computing import observe_nothing
from parity.core.errors import InputError
from parity.core.layers import Network, network_at
from parity.core.machine import default_threads
from parity.core.pinning import SIDE_THREADS, Pins, pin_torch
from parity.core.policy import STRUCTURE
from parity.core.specification import GOLDEN, REFERENCE, TRACE_SUFFIXES, is_stored
from parity.core.weights import read_given
from parity.reference.opening import stored
from parity.reference.process import OfficialProcess
from parity.report.checked import Checked
from parity.report.collect import Collector
from parity.report.document import document
from parity.report.faults import faults
from parity.report.judgement import Run
from parity.report.outcome import outcome_of
from parity.report.provenance import provenance
from parity.report.render import render
from parity.session.names import judged_names
from parity.session.opening import open_reference
from parity.session.options import Options
from parity.session.session import ParitySession, Selection
from pnasnet_torch import variant as variant_of
from tf_reference import official

# What is judged: a model, or what makes one.
Model = nn.Module | Callable[[], nn.Module]


def check(
    model: Model,
    *,
    variant: str | None = None,
    image_size: int | str | None = None,
    reference: str | None = None,
    adapter: str | Path | None = None,
    weights: str | Path = REFERENCE,
    checkpoint: str | Path | None = None,
    reproduce: str | Path | None = None,
    threads: int | None = None,
) -> Checked:
    """Judge a model layer by layer, as `pytest parity --candidate` does, and return what it was found to be.

    `model` is a PNASNet-5, or what makes one when it is called; it stays as it is, and a copy of it is judged.
    `variant` is `large` or `mobile`, by default what the model's weights are of; `image_size` 331 or `97x131` (height,
    width), by default the variant's own. `reference` is `golden`, a trace (`FILE.h5`), or `official`, which takes
    TensorFlow; by default golden, or with a `checkpoint` official. `adapter` is a file that says what the model's
    modules are called, where the operations do not tell. `weights` are the `reference`'s, with which the copy is
    filled; `own`, as the model has them; or a file of these. The model's own are judged beside those of the
    `checkpoint`, a path, or of a trace. The first culprits are written into the folder `reproduce`, each as a script.
    What is set of PyTorch meanwhile is put back.

    Raises InputError for what cannot be judged.
    """
    with Pins().held():
        pin_torch(SIDE_THREADS)
        reference = reference or (official.OFFICIAL if checkpoint else GOLDEN)
        if str(weights) != REFERENCE and not checkpoint and not reference.endswith(TRACE_SUFFIXES):
            raise InputError("a model's own weights are judged beside the official ones: give a checkpoint, or a trace")
        own_weights = own_weights_of(str(weights))
        sizes = (str(image_size),) if image_size else ()
        candidate = candidate_from(model, Path(adapter) if adapter else None, own_weights, sizes)
        network = _network(candidate, variant, image_size)
        options = Options(
            networks=(network,),
            checkpoint=read_given(Path(checkpoint), None) if checkpoint else None,
            images=(),
            references=(reference,),
            seed=0,
            threads=threads or default_threads(),
            reproduce=Path(reproduce) if reproduce else None,
            stored=stored(reference) if is_stored(reference) else None,
            candidate=candidate,
        )
        _check(options, network, candidate)
        return _judged(options, network)


def assert_parity(model: Model, **options: Any) -> None:
    """Raise AssertionError, with what was found as its message, unless a model passes `check` with these options."""
    checked = check(model, **options)
    if not checked:
        raise AssertionError(str(checked))


def _network(candidate: Implementation, variant: str | None, image_size: int | str | None) -> Network:
    """Return the network that is judged. Raises InputError where that is not clear, or cannot be."""
    variants = [variant] if variant else list(candidate.adapter.names.variants)
    if len(variants) != 1:
        raise InputError(f"{candidate.name} can be PNASNet-5 {' or '.join(variants) or 'of any variant'}: name one")
    try:
        network = network_at(variants[0], str(image_size or variant_of(variants[0]).image_size))
    except (KeyError, ValueError) as error:
        raise InputError(str(error)) from error
    refused = candidate.refuses(network)
    if refused:
        raise InputError(f"{candidate.name} cannot be judged as {network}: {refused}")
    return network


def _check(options: Options, network: Network, candidate: Implementation) -> None:
    """Raise InputError where the model cannot be judged by the reference."""
    (reference,) = options.references
    if options.checkpoint and options.stored:
        raise InputError(f"the reference {reference} holds weights of its own: give no checkpoint with it")
    if options.checkpoint and options.checkpoint.variant != network.variant:
        raise InputError(f"{options.checkpoint.path} holds the weights of PNASNet-5 {options.checkpoint.variant}")
    if options.stored is None:
        official.kind_of(reference)
    elif network not in options.stored.networks:
        held = ", ".join(map(str, options.stored.networks))
        raise InputError(f"the reference {reference} holds {held}, and not {network}")
    candidate.examine((network,))


def _judged(options: Options, network: Network) -> Checked:
    """Return what all gates make of the network."""
    started, clock = datetime.now(UTC), perf_counter()
    selection = _selection(options, network)
    collector = Collector()
    session = _run(options, selection, collector)
    results = session.results[network]
    run = Run(
        command=f"parity.check({options.judged})",
        arguments="",
        selection="",
        started=started.isoformat(timespec="seconds"),
        seconds=round(perf_counter() - clock, 1),
        exit=int(not all(all(by_layer.values()) for by_layer in results.values())),
        tests=sum(map(len, selection.values())),
    )
    verdict = session.verdicts[0] if session.verdicts else None
    notes = (*options.shown, *session.said_at_end)
    page = partial(_page, session, options, selection, collector, run)
    return Checked(str(network), results, tuple(session.tallies()), verdict, notes, page)


def _run(options: Options, selection: Selection, collector: Collector) -> ParitySession:
    """Judge all that is selected, and return the session, which is closed."""
    # What is stored needs no TensorFlow, and of digests there are no values to keep.
    process = None if options.stored else OfficialProcess(options)
    observe = observe_nothing if options.stored else collector
    try:
        session = ParitySession(
            options, selection, open_reference(options, selection, process=process), observe=observe
        )
        collector.layers = session.layers
        try:
            for (gate, network), names in selection.items():
                session.result(gate, network, next(iter(names)))
        finally:
            session.close()
    finally:
        if process:
            process.close()
    return session


def _page(session: ParitySession, options: Options, selection: Selection, collector: Collector, run: Run) -> str:
    """Return the report's page on a session."""
    # Nothing of pytest ran: a layer's test is called as the layer is.
    nodes = {key: {name: name for name in names} for key, names in selection.items()}
    outcome = outcome_of(session, options, run, nodes, collector.observations)
    return render(document(outcome, provenance(options, session), imagenet=None, faults=faults()))


def _selection(options: Options, network: Network) -> Selection:
    """Return what each gate judges: all that the model shows."""
    assert options.candidate
    hidden = options.unobservable[network]
    selection: dict[tuple[str, Network], frozenset[str]] = {}
    for gate in options.candidate.gates:
        names = [*judged_names(gate, network, "layers", options)]
        if gate == STRUCTURE:
            names += judged_names(gate, network, "blocks", options)
        shown = frozenset(names) - hidden
        if shown:
            selection[gate, network] = shown
    return selection
