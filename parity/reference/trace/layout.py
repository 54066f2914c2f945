"""Where in a trace each array stands: the paths, and which stored run belongs to which images."""

import numpy as np

from parity.core.layers import Network
from parity.reference.trace.encoding import digest

CHECKPOINT, PHOTOGRAPHS = "checkpoint", "photographs"


def variables(network: Network, role: str) -> str:
    """Return the folder of the network's variables in a role, such as the checkpoint's."""
    return f"{network}/variables/{role}"


def images(network: Network, role: str) -> str:
    """Return the path of the network's images (N, H, W, 3) in a role, such as photographs."""
    return f"{network}/images/{role}/pixels"


def preprocessed(network: Network, name: str) -> str:
    """Return the folder of the image file `name` with its bytes, its decoded pixels and the network's input."""
    return f"{network}/preprocess/{flat(name)}"


def run(network: Network, dtype: str, role: str) -> str:
    """Return the folder of all layers' values in `dtype`, on the images of a role."""
    return f"{network}/{dtype}/{role}"


def training(network: Network, group: str) -> str:
    """Return the folder of a group of arrays in training, such as the gradients in one dtype."""
    return f"{network}/training/{group}"


def flat(name: str) -> str:
    """Return the name without folders: in a step there are both `conv0/weights` and `conv0/weights/rms`."""
    return name.replace("/", "|")


def unflat(name: str) -> str:
    """Return the name that `flat` made `name` of."""
    return name.replace("|", "/")


class Roles:
    """Which images are which: `integers`, or `photograph-0` and so on. A run is stored under its images' role."""

    def __init__(self) -> None:
        self._roles: dict[tuple[Network, str], str] = {}

    def photographs(self, network: Network, images_nhwc: np.ndarray) -> None:
        """Remember the network's photographs, each of which is run alone."""
        for number, image_hwc in enumerate(images_nhwc):
            self._roles[network, _key(image_hwc[None])] = f"photograph-{number}"

    def integers(self, network: Network, images_nhwc: np.ndarray) -> None:
        """Remember the integer network's images, which are run together."""
        self._roles[network, _key(images_nhwc)] = "integers"

    def find(self, network: Network, images_nhwc: np.ndarray) -> str | None:
        """Return the role of these images, in whatever dtype they come; None if they have none."""
        return self._roles.get((network, _key(images_nhwc)))


def _key(images_nhwc: np.ndarray) -> str:
    """Return a digest of the images, which is the same in float32 and float64."""
    # Pixels and integers are all float32 numbers, so nothing is lost.
    return digest(images_nhwc.astype(np.float32))
