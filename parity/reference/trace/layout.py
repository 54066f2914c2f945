"""Where in a trace each array stands: the paths, and which stored run belongs to which images."""

import numpy as np

from parity.core.layers import Network
from parity.reference.trace.store import digest

CHECKPOINT, PHOTOGRAPHS = "checkpoint", "photographs"


def integers(dtype: str) -> str:
    """The integer network's inputs in `dtype`."""
    return f"integers-{dtype}"


def variables(network: Network, role: str) -> str:
    return f"{network}/variables/{role}"


def images(network: Network, role: str) -> str:
    return f"{network}/images/{role}/pixels"


def preprocessed(network: Network, name: str) -> str:
    return f"{network}/preprocess/{flat(name)}"


def run(network: Network, dtype: str, role: str) -> str:
    return f"{network}/{dtype}/{role}"


def training(network: Network, group: str) -> str:
    return f"{network}/training/{group}"


def flat(name: str) -> str:
    """The name without folders: in a step there are both `conv0/weights` and `conv0/weights/rms`."""
    return name.replace("/", "|")


def unflat(name: str) -> str:
    return name.replace("|", "/")


class Roles:
    """Which images are which: `integers`, or `photograph-0` and so on. A run is stored under its images' role."""

    def __init__(self) -> None:
        self._roles: dict[tuple[Network, str], str] = {}

    def photographs(self, network: Network, images_nhwc: np.ndarray) -> None:
        for number, image in enumerate(images_nhwc):
            self._roles[network, _key(image[None])] = f"photograph-{number}"

    def integers(self, network: Network, images_nhwc: np.ndarray) -> None:
        self._roles[network, _key(images_nhwc)] = "integers"

    def find(self, network: Network, images_nhwc: np.ndarray) -> str | None:
        """The role of these images, in whatever dtype they come; None if they are none of those."""
        return self._roles.get((network, _key(images_nhwc)))


def _key(images_nhwc: np.ndarray) -> str:
    return digest(images_nhwc.astype(np.float32))
