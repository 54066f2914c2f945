"""The evaluation on ImageNet as a section of the report."""

from typing import TYPE_CHECKING, Any

from parity.core.errors import InputError
from parity.imagenet.dataset import FULL_SIZE
from parity.report.columns import plain
from parity.report.pictures import thumbnail
from pnasnet_torch.decode import ImageError, decode

if TYPE_CHECKING:
    from parity.imagenet.evaluator import Evaluator

# How many disagreeing images are shown with a thumbnail; all of them are listed.
THUMBNAILS = 60


def evaluation(evaluator: "Evaluator") -> dict[str, Any] | None:
    """Return all figures of each network that was evaluated, and, by name, thumbnails of disagreeing images.

    Those are images on which the candidate and TensorFlow disagree. Return None where no network was evaluated.
    """
    networks = plain(evaluator.as_dicts())
    if not networks:
        return None
    limits = []
    disagreeing: list[str] = []
    for network in networks:
        if network["evaluated"] < FULL_SIZE:
            evaluated = f"{network['evaluated']:,} of {FULL_SIZE:,} images"
            limits.append(f"On ImageNet {network['network']} was evaluated on {evaluated}")
        disagreeing += [image["name"] for image in network.get("disagreements", [])]
    return {
        "header": evaluator.header(),
        "limits": limits,
        "networks": networks,
        "thumbnails": _thumbnails(evaluator, disagreeing),
    }


def _thumbnails(evaluator: "Evaluator", names: list[str]) -> dict[str, str]:
    """Return thumbnails (JPEG in base64) of the first `THUMBNAILS` images, by name; none of one that cannot be read."""
    thumbnails = {}
    # Several networks may disagree on one image.
    unique_names = list(dict.fromkeys(names))
    for name in unique_names[:THUMBNAILS]:
        try:
            thumbnails[name] = thumbnail(decode(evaluator.read(name)))
        except (ImageError, InputError, OSError):
            # The figures are there, whatever became of the image since: the report is written without its picture.
            continue
    return thumbnails
