"""The evaluation on ImageNet as a section of the report."""

from typing import TYPE_CHECKING, Any

from parity.core.errors import InputError
from parity.imagenet.dataset import FULL_SIZE
from parity.report.columns import plain
from parity.report.pictures import thumbnail
from pnasnet_torch.decode import ImageError, decode

if TYPE_CHECKING:
    from parity.imagenet.evaluator import Evaluator

# So many disagreeing images are shown with a thumbnail; all are listed.
THUMBNAILS = 60


def evaluation(evaluator: "Evaluator") -> dict[str, Any] | None:
    """All figures of each network that was evaluated, and thumbnails of images on which the sides disagree, by name.

    None where no network was.
    """
    networks = plain(evaluator.as_dicts())
    if not networks:
        return None
    names = [row["name"] for network in networks for row in network.get("disagreements", [])]
    chosen = list(dict.fromkeys(names))[:THUMBNAILS]
    pictures = {name: _thumbnail(evaluator, name) for name in chosen}
    return {
        "header": evaluator.header(),
        "limits": [
            f"On ImageNet {row['network']} was evaluated on {row['evaluated']:,} of {FULL_SIZE:,} images"
            for row in networks
            if row["evaluated"] < FULL_SIZE
        ],
        "networks": networks,
        "thumbnails": {name: picture for name, picture in pictures.items() if picture},
    }


def _thumbnail(evaluator: "Evaluator", name: str) -> str:
    try:
        return thumbnail(decode(evaluator.read(name)))
    except (ImageError, InputError, OSError):
        return ""
