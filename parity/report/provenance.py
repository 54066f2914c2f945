"""What was compared with what, on what: everything that the figures depend on."""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity.core import code
from parity.core.machine import version
from parity.core.policy import TRAINING_GATES
from parity.core.specification import labelled
from parity.reference.live import synthetic_of
from parity.reference.provenance import provenance as run_provenance
from parity.reference.provenance import source_origin
from parity.report.pictures import thumbnail_of
from parity.session.options import Options
from pnasnet_torch.hub import sha256 as digest_of

if TYPE_CHECKING:
    from parity.session.session import ParitySession

# The gates on networks with trained weights and photographs. The exact ones make up weights and images of their own.
TRAINED = {"float64", "float32", *TRAINING_GATES} - {"exact-gradient"}
# The gates that take a checkpoint, and those that look at the images; the gate of ImageNet has images of its own.
CHECKPOINT = TRAINED | {"imagenet"}
IMAGES = TRAINED | {"preprocess"}
# As parity.core.pinning and tf_reference pin them.
SETTINGS = ("oneDNN off in TensorFlow", "TF32 off", "deterministic algorithms")


def provenance(options: Options, session: "ParitySession") -> dict[str, Any]:
    """Return the provenance of a run as plain data.

    Where the reference is stored, seed, weights and images are those that it was made with.
    """
    run_facts = run_provenance(options, options.stored)
    # What official values were made from and by: recorded with a stored reference, and else this very run.
    reference_facts = run_facts.get("recorded", run_facts)
    versions = dict(run_facts["versions"])
    versions[code.DISTRIBUTION] = version(code.DISTRIBUTION)
    versions["python"] = platform.python_version()
    return {
        "versions": versions,
        "code": {"path": str(code.PACKAGE.parent), "commit": code.commit() or None},
        "machine": {"cpu": run_facts["cpu"], "system": platform.platform(), "threads": run_facts["threads"]},
        "settings": [*SETTINGS, *_other_settings(options, run_facts)],
        "candidate": options.candidate.name if options.candidate else None,
        "origin": asdict(options.origin),
        "references": list(_references(options, session, reference_facts)),
        "checkpoints": list(_checkpoints(options, session, reference_facts)),
        "images": _images(options, reference_facts) if _used_images(session) else [],
        "seed": reference_facts["seed"],
    }


def _other_settings(options: Options, run_facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the environment sets that changes bits, and what the candidate's code changed of the settings."""
    for name, value in run_facts["environment"].items():
        yield f"{name}={value}"
    if options.candidate:
        yield from options.candidate.notes


def _references(
    options: Options, session: "ParitySession", reference_facts: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield each reference with the SHA-256 of its official source; a stored one with all that was recorded with it."""
    for label, name in labelled(options.references).items():
        # Where nothing official runs, what was recorded tells which source did.
        source = session.official_sources.get(label)
        yield {
            "label": label,
            "name": name,
            "sha256": source.fingerprint if source else reference_facts["source_sha256"],
            "origin": asdict(source_origin(name)) if source else None,
            "recorded": reference_facts if options.stored else None,
        }


def _checkpoints(
    options: Options, session: "ParitySession", reference_facts: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the checkpoint of each variant on which a gate took one, with its SHA-256."""
    variants = []
    for network, gates in session.results.items():
        if gates.keys() & CHECKPOINT and network.variant not in variants:
            variants.append(network.variant)
    for variant in variants:
        # A stored reference's checkpoint need not be on this machine; any other is, a synthetic one in the cache.
        if options.stored:
            sha256 = reference_facts["checkpoint_sha256"]
        elif options.checkpoint:
            sha256 = options.checkpoint.sha256
        else:
            prefix = synthetic_of(options, variant)
            # The index has checksums of all the rest.
            sha256 = digest_of(prefix.with_name(f"{prefix.name}.index"))
        name = reference_facts["checkpoint"] or f"synthetic, seed {reference_facts['seed']}"
        yield {"variant": variant, "name": name, "sha256": sha256}


def _used_images(session: "ParitySession") -> bool:
    """Return whether a gate ran that looks at the images: not the exact ones, nor that of ImageNet."""
    return any(gates.keys() & IMAGES for gates in session.results.values())


def _images(options: Options, reference_facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the images that the networks ran on, each with its networks and a thumbnail, where it is a file."""
    images = []
    if options.stored:
        # Their files were where the reference was made, not here.
        for name, sha256 in reference_facts["images"].items():
            images.append({"name": name, "path": None, "sha256": sha256, "networks": [], "thumbnail": None})
        return images
    for name, path in options.named_images.items():
        image = {
            "name": name,
            "path": str(path),
            "sha256": options.image_hashes[path],
            "networks": _networks(options, path),
            "thumbnail": thumbnail_of(path),
        }
        images.append(image)
    return images


def _networks(options: Options, image: Path) -> list[str]:
    """Return the names of the networks that run on the image at a path."""
    return [str(network) for network in options.networks if image in options.images_of(network)]
