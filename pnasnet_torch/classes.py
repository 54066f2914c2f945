"""The 1000 classes of ILSVRC-2012 in slim's order, that of the sorted WordNet ids: each one's id and name."""

from pathlib import Path

# Ids: research/slim/datasets/imagenet_lsvrc_2015_synsets.txt in tensorflow/models; names: the lemmas of WordNet.
FILE = Path(__file__).with_name("imagenet_classes.txt")
_ROWS = [line.split("\t") for line in FILE.read_text(encoding="ascii").splitlines()]
WNIDS = tuple(wnid for wnid, _ in _ROWS)
NAMES = tuple(name for _, name in _ROWS)
BACKGROUND = "background"


def class_names(classes: int) -> tuple[str, ...]:
    """Return a name for each class of a network that has so many: ImageNet's for 1000 classes, numbers for another.

    A network of 1001 classes has the background before those of ImageNet.
    """
    if classes == len(NAMES):
        return NAMES
    if classes == len(NAMES) + 1:
        return (BACKGROUND, *NAMES)
    return tuple(f"class {number}" for number in range(classes))
