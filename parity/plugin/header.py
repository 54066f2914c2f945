"""What pytest says above the tests: versions, machine, settings, and what is compared."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from parity.core.code import code_in_words
from parity.core.layers import Network
from parity.reference.interface import StoredReference
from parity.reference.provenance import provenance
from parity.session.options import Options


def header(options: Options, taken: frozenset[str] = frozenset()) -> list[str]:
    """Return the lines for pytest's header: versions, machine, settings, and what is compared.

    The names `taken` are other plugins' options.
    """
    facts = provenance(options, options.stored)
    # What a stored reference was made from, where it says so.
    recorded = facts.get("recorded")
    networks = ", ".join(str(network) for network in options.networks)
    lines = [code_in_words(), *_machine(facts), f"{networks}: {options.judged} against {facts['reference']}"]
    lines += [f"  {line}" for line in options.left_out]
    if recorded and options.stored:
        lines.append(f"  made from {recorded['reference']} {recorded.get('created', '')}".rstrip())
        lines += [f"  {line}" for line in _machine(recorded)]
        lines += [f"  {line}" for line in _parts(options.stored, options.networks)]
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
    """Return two lines: the versions, and what on the machine could change bits."""
    return [
        ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
        f"{facts['cpu']}, {facts['threads']} threads, oneDNN off in TensorFlow, TF32 off, deterministic algorithms",
    ]


def _inputs(facts: Mapping[str, Any]) -> list[str]:
    """Return lines on the weights and images; golden digests have the integer network's alone."""
    if "checkpoint" not in facts:
        return [f"integer network, seed {facts['seed']}"]
    checkpoint = f"synthetic, seed {facts['seed']}"
    if facts["checkpoint"]:
        checkpoint = f"{facts['checkpoint']} (SHA-256 {facts['checkpoint_sha256'][:12]})"
    hashes = ", ".join(f"{name} {digest[:12]}" for name, digest in facts["images"].items())
    return [f"checkpoint {checkpoint}", f"images (SHA-256) {hashes}"]
