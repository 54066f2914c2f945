"""What the figures of a run depend on, besides the code."""

from typing import Any

from parity.core.machine import FRAMEWORKS, cpu, version
from parity.core.specification import Specification
from parity.reference.interface import StoredReference
from tf_reference.checkpoint import fingerprint


def provenance(specification: Specification, stored: StoredReference | None = None) -> dict[str, Any]:
    """What a run's figures depend on besides the code, as plain data. Imports neither framework.

    Where the reference is stored, weights and images are those of `recorded`, which is its own provenance.
    """
    found: dict[str, Any] = {
        "versions": {name: version(name) for name in FRAMEWORKS},
        "cpu": cpu(),
        "threads": specification.threads,
        "reference": ", ".join(specification.references),
    }
    if stored:
        return found | {"recorded": stored.provenance}
    return found | {
        "seed": specification.seed,
        "checkpoint": str(specification.checkpoint) if specification.checkpoint else None,
        "checkpoint_sha256": fingerprint(specification.checkpoint) if specification.checkpoint else None,
        "images": {name: specification.image_hashes[path] for name, path in specification.named_images.items()},
    }
