"""What the figures of a run depend on, besides the code."""

from pathlib import Path
from typing import Any

from parity.core.code import Origin, commit_of
from parity.core.machine import FRAMEWORKS, cpu, environment_settings, version
from parity.core.specification import Specification
from parity.reference.interface import StoredReference
from tf_reference import official


def provenance(specification: Specification, stored: StoredReference | None = None) -> dict[str, Any]:
    """Return what a run's figures depend on besides the code, as plain data. Import neither framework for that.

    Where the reference is stored, weights and images are those of `recorded`, which is the stored reference's own
    provenance.
    """
    origin: dict[str, Any] = {
        "versions": {name: version(name) for name in FRAMEWORKS},
        "cpu": cpu(),
        "threads": specification.threads,
        "environment": environment_settings(),
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


def source_origin(reference: str) -> Origin:
    """Return which official source a reference runs: where it lies, and the version or the commit of it.

    The pinned one need not be there yet: it is fetched when it is first used.
    """
    if reference == official.OFFICIAL:
        path, version_there = official.pinned_wheel()
        return Origin(str(path), version_there)
    root = Path(reference.partition(":")[2]).resolve()
    return Origin(str(root), "", commit_of(root))
