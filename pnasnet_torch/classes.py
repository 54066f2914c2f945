"""The 1000 classes of ILSVRC-2012 in slim's order, that of the sorted WordNet ids: each one's id and name."""

from pathlib import Path

# Ids: research/slim/datasets/imagenet_lsvrc_2015_synsets.txt in tensorflow/models; names: the lemmas of WordNet.
FILE = Path(__file__).with_name("imagenet_classes.txt")
WNIDS, NAMES = zip(*(line.split("\t") for line in FILE.read_text(encoding="ascii").splitlines()), strict=True)
BACKGROUND = "background"


def class_names(classes: int) -> tuple[str, ...]:
    """A name for each class of a network: those of ImageNet, behind the background where it has 1001; else numbers."""
    if classes == len(NAMES):
        return NAMES
    if classes == len(NAMES) + 1:
        return (BACKGROUND, *NAMES)
    return tuple(f"class {number}" for number in range(classes))
