"""What was compared with what, on what: everything that the figures depend on."""

import importlib.metadata
import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from parity.environment import FRAMEWORKS, cpu
from parity.layers import Network
from parity.options import PHOTOGRAPHS, Options
from parity.report.pictures import thumbnail_of

if TYPE_CHECKING:
    from parity.session import ParitySession

# As parity.environment and tf_reference pin them.
SETTINGS = ("oneDNN off in TensorFlow", "TF32 off", "deterministic algorithms")


def provenance(options: Options, session: "ParitySession") -> dict[str, Any]:
    """The provenance as plain data."""
    return {
        "versions": {name: _version(name) for name in ("pnasnet-parity", *FRAMEWORKS)}
        | {"python": platform.python_version()},
        "machine": {"cpu": cpu(), "system": platform.platform(), "threads": options.threads},
        "settings": list(SETTINGS),
        "reference": {"name": options.reference, "sha256": session.source.fingerprint},
        "checkpoints": list(_checkpoints(options, session)),
        "images": images(options) if _used_images(session) else [],
        "seed": options.seed,
    }


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _checkpoints(options: Options, session: "ParitySession") -> Iterator[dict[str, Any]]:
    """The checkpoint of each variant on which a gate took one."""
    from tf_reference.checkpoint import fingerprint

    ran = [network for network, gates in session.results.items() if {"float64", "float32", "imagenet"} & gates.keys()]
    for variant in dict.fromkeys(network.variant for network in ran):
        prefix = options.checkpoint or _synthetic(variant, options, session)
        name = str(options.checkpoint) if options.checkpoint else f"synthetic, seed {options.seed}"
        yield {"variant": variant, "name": name, "sha256": fingerprint(prefix)}


def _used_images(session: "ParitySession") -> bool:
    """Whether a gate ran that looks at the images: not the exact ones, nor that of ImageNet."""
    return any({"preprocess", "float64", "float32"} & gates.keys() for gates in session.results.values())


def _synthetic(name: str, options: Options, session: "ParitySession") -> Any:
    from pnasnet_torch import variant
    from tf_reference.synthetic import synthetic_checkpoint

    photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))
    return synthetic_checkpoint(session.source, name, variant(name).image_size, options.seed, photographs)


def images(options: Options) -> list[dict[str, Any]]:
    """The images that the networks ran on, each with its networks and a thumbnail."""

    def networks(path: Any) -> list[Network]:
        return [network for network in options.networks if path in options.images_of(network)]

    return [
        {
            "name": path.name,
            "path": str(path),
            "sha256": digest,
            "networks": list(map(str, networks(path))),
            "thumbnail": thumbnail_of(path),
        }
        for path, digest in options.image_hashes.items()
    ]
