"""What was compared with what, on what: everything that the figures depend on."""

import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity.core import code
from parity.core.machine import version
from parity.core.policy import TRAINING_GATES
from parity.core.specification import labelled
from parity.reference.live import checkpoint_of
from parity.reference.provenance import provenance as run_provenance
from parity.report.pictures import thumbnail_of
from parity.session.options import Options
from tf_reference.checkpoint import fingerprint

if TYPE_CHECKING:
    from parity.session.session import ParitySession

# The gates that take a checkpoint, and of all gates those that look at the images.
TRAINED = {"float64", "float32", *TRAINING_GATES} - {"exact-gradient"}
CHECKPOINT, IMAGES = TRAINED | {"imagenet"}, TRAINED | {"preprocess"}
# As parity.core.pinning and tf_reference pin them.
SETTINGS = ("oneDNN off in TensorFlow", "TF32 off", "deterministic algorithms")


def provenance(options: Options, session: "ParitySession") -> dict[str, Any]:
    """The provenance as plain data; of a reference that is stored, the weights and images that it was made with."""
    versions = {code.DISTRIBUTION: version(code.DISTRIBUTION), "python": platform.python_version()}
    found = run_provenance(options, options.stored)
    made = found.get("recorded", found)
    return {
        "versions": found["versions"] | versions,
        "code": {"path": str(code.PACKAGE.parent), "commit": code.commit() or None},
        "machine": {"cpu": found["cpu"], "system": platform.platform(), "threads": found["threads"]},
        "settings": list(SETTINGS),
        "candidate": options.candidate.name if options.candidate else None,
        "references": list(_references(options, session, made)),
        "checkpoints": list(_checkpoints(options, session, made)),
        "images": _images(options, made) if _used_images(session) else [],
        "seed": made["seed"],
    }


def _references(options: Options, session: "ParitySession", made: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for label, name in labelled(options.references).items():
        sha256 = session.official_sources[label].fingerprint if session.official_sources else made["source_sha256"]
        yield {"label": label, "name": name, "sha256": sha256, "recorded": made if options.stored else None}


def _checkpoints(options: Options, session: "ParitySession", made: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The checkpoint of each variant on which a gate took one; the SHA-256 of a synthetic one where it lies here."""
    ran = [network for network, gates in session.results.items() if gates.keys() & CHECKPOINT]
    for name in dict.fromkeys(network.variant for network in ran):
        sha256 = made["checkpoint_sha256"] if options.stored else fingerprint(checkpoint_of(options, name))
        yield {"variant": name, "name": made["checkpoint"] or f"synthetic, seed {made['seed']}", "sha256": sha256}


def _used_images(session: "ParitySession") -> bool:
    """Whether a gate ran that looks at the images: not the exact ones, nor that of ImageNet."""
    return any(gates.keys() & IMAGES for gates in session.results.values())


def _images(options: Options, made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The images that the networks ran on, each with its networks and a thumbnail, where it is a file."""
    if options.stored:
        return [
            {"name": name, "path": None, "sha256": digest, "networks": [], "thumbnail": None}
            for name, digest in made["images"].items()
        ]

    def networks(path: Path) -> list[str]:
        return [str(network) for network in options.networks if path in options.images_of(network)]

    return [
        {
            "name": name,
            "path": str(path),
            "sha256": options.image_hashes[path],
            "networks": networks(path),
            "thumbnail": thumbnail_of(path),
        }
        for name, path in options.named_images.items()
    ]
