"""What pytest says above the tests: versions, machine, settings, and what is compared."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from parity.core import code
from parity.core.layers import Network
from parity.core.machine import memory
from parity.reference.interface import StoredReference
from parity.reference.provenance import provenance, source_origin
from parity.session.options import Options


def header(options: Options, taken: frozenset[str] = frozenset()) -> list[str]:
    """Return the lines for pytest's header: versions, machine, settings, and what is compared.

    The names `taken` are other plugins' options.
    """
    facts = provenance(options, options.stored)
    # What a stored reference was made from, where it says so.
    recorded = facts.get("recorded")
    networks = ", ".join(str(network) for network in options.networks)
    lines = [f"{code.DISTRIBUTION} {code.suite()}", *_machine(facts)]
    lines.append(f"{networks}: {options.judged} against {facts['reference']}")
    lines += [f"  {line}" for line in options.left_out]
    lines.append(f"  {options.judged}: {options.origin}")
    if not options.stored:
        lines += [f"  {reference}: {source_origin(reference)}" for reference in options.references]
    if recorded and options.stored:
        lines.append(f"  made from {recorded['reference']} {recorded.get('created', '')}".rstrip())
        lines += [f"  {line}" for line in _machine(recorded)]
        lines += [f"  {line}" for line in _parts(options.stored, options.networks)]
    if not options.has_room:
        lines.append(f"{memory() / 1e9:,.1f} GB of memory: less is computed at once, which takes longer")
    lines += _inputs(recorded or facts)
    if options.checkpoint:
        lines += [f"  {note}" for note in options.checkpoint.notes]
    lines += [f"--{name} is another plugin's option here: parity's is --parity-{name}" for name in sorted(taken)]
    return [f"parity: {line}" for line in lines]


def _parts(stored: StoredReference, networks: Iterable[Network]) -> Iterator[str]:
    """Yield a line for each network of which the reference holds a part alone."""
    for network in networks:
        layers = set(stored.layers(network))
        held_by_gate = [layers & set(stored.names(gate, network)) for gate in stored.gates]
        held = max(len(names) for names in held_by_gate)
        if held < len(layers):
            yield f"of {network} it holds {held:,} of {len(layers):,} layers"


def _machine(facts: Mapping[str, Any]) -> list[str]:
    """Return a line for the versions, and one or two for what on the machine could change bits."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    pins = f"{facts['cpu']}, {facts['threads']} threads, oneDNN off in TensorFlow, TF32 off, deterministic algorithms"
    # Digests and older traces do not tell what was set.
    settings = ", ".join(f"{name}={value}" for name, value in facts.get("environment", {}).items())
    return [versions, pins, f"the environment sets {settings}"] if settings else [versions, pins]


def _inputs(facts: Mapping[str, Any]) -> list[str]:
    """Return lines on the weights and images; golden digests have the integer network's alone."""
    if "checkpoint" not in facts:
        return [f"integer network, seed {facts['seed']}"]
    checkpoint = f"synthetic, seed {facts['seed']}"
    if facts["checkpoint"]:
        checkpoint = f"{facts['checkpoint']} (SHA-256 {facts['checkpoint_sha256'][:12]})"
    hashes = ", ".join(f"{name} {digest[:12]}" for name, digest in facts["images"].items())
    return [f"checkpoint {checkpoint}", f"images (SHA-256) {hashes}"]
