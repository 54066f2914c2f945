"""What pytest says above the tests: versions, machine, settings, and what is compared."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from parity.core.code import code_in_words
from parity.core.layers import Network
from parity.reference.interface import StoredReference
from parity.reference.provenance import provenance
from parity.session.options import Options


def header(options: Options, taken: frozenset[str] = frozenset()) -> list[str]:
    """Lines for pytest's header: versions, machine, settings, and what is compared."""
    found = provenance(options, options.stored)
    recorded = found.get("recorded")
    lines = [
        code_in_words(),
        *_machine(found),
        f"{', '.join(map(str, options.networks))}: {options.judged} against {found['reference']}",
        *(f"  {line}" for line in options.left_out),
    ]
    if recorded and options.stored:
        lines += [f"  made from {recorded['reference']} {recorded.get('created', '')}".rstrip()]
        lines += [f"  {line}" for line in _machine(recorded)]
        lines += [f"  {line}" for line in _parts(options.stored, options.networks)]
    lines += _inputs(recorded or found)
    lines += [f"--{name} is another plugin's option here: parity's is --parity-{name}" for name in sorted(taken)]
    return [f"parity: {line}" for line in lines]


def _parts(stored: StoredReference, networks: Iterable[Network]) -> Iterator[str]:
    """Where the reference holds a part of a network alone."""
    for network in networks:
        layers = set(stored.layers(network))
        held = max(len(layers & set(stored.names(gate, network))) for gate in stored.gates)
        if held < len(layers):
            yield f"of {network} it holds {held:,} of {len(layers):,} layers"


def _machine(found: Mapping[str, Any]) -> list[str]:
    return [
        ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
        f"{found['cpu']}, {found['threads']} threads, oneDNN off in TensorFlow, TF32 off, deterministic algorithms",
    ]


def _inputs(found: Mapping[str, Any]) -> list[str]:
    if "checkpoint" not in found:
        return [f"integer network, seed {found['seed']}"]
    checkpoint = f"synthetic, seed {found['seed']}"
    if found["checkpoint"]:
        checkpoint = f"{found['checkpoint']} (SHA-256 {found['checkpoint_sha256'][:12]})"
    hashes = ", ".join(f"{name} {digest[:12]}" for name, digest in found["images"].items())
    return [f"checkpoint {checkpoint}", f"images (SHA-256) {hashes}"]
