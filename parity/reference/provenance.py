"""What the figures of a run depend on, besides the code."""

from typing import Any

from parity.core.machine import FRAMEWORKS, cpu, version
from parity.core.specification import Specification
from parity.reference.interface import StoredReference


def provenance(specification: Specification, stored: StoredReference | None = None) -> dict[str, Any]:
    """Return what a run's figures depend on besides the code, as plain data. Import neither framework for that.

    Where the reference is stored, weights and images are those of `recorded`, which is the stored reference's own
    provenance.
    """
    origin: dict[str, Any] = {
        "versions": {name: version(name) for name in FRAMEWORKS},
        "cpu": cpu(),
        "threads": specification.threads,
        "reference": ", ".join(specification.references),
    }
    if stored:
        origin["recorded"] = stored.provenance
        return origin
    origin["seed"] = specification.seed
    # None where the checkpoint is synthetic: that one follows from the seed.
    origin["checkpoint"] = None
    origin["checkpoint_sha256"] = None
    if specification.checkpoint:
        origin["checkpoint"] = str(specification.checkpoint)
        origin["checkpoint_sha256"] = specification.checkpoint.sha256
    images = specification.named_images.items()
    origin["images"] = {name: specification.image_hashes[path] for name, path in images}
    return origin
