"""The evaluation on ImageNet as a section of the report."""

from typing import TYPE_CHECKING, Any

from parity.report.pictures import thumbnail
from pnasnet_torch.decode import ImageError, decode
from tf_reference.errors import InputError

if TYPE_CHECKING:
    from parity.imagenet.evaluator import Evaluator

# So many disagreeing images are shown with a thumbnail; all are listed.
THUMBNAILS = 60


def evaluation(evaluator: "Evaluator") -> dict[str, Any]:
    """All figures of each network that was evaluated, and thumbnails of images on which the sides disagree, by name."""
    networks = evaluator.as_dicts()
    names = [row["name"] for network in networks for row in network.get("disagreements", [])]
    chosen = list(dict.fromkeys(names))[:THUMBNAILS]
    pictures = {name: _thumbnail(evaluator, name) for name in chosen}
    return {
        "header": evaluator.header() if networks else [],
        "networks": networks,
        "thumbnails": {name: picture for name, picture in pictures.items() if picture},
    }


def _thumbnail(evaluator: "Evaluator", name: str) -> str:
    try:
        return thumbnail(decode(evaluator.read(name)))
    except (ImageError, InputError, OSError):
        return ""
