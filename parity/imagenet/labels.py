"""The 1000 classes of ILSVRC-2012, and the label that slim's networks give to each."""

from pathlib import Path

from tf_reference.errors import InputError

# The WordNet ids, sorted, of research/slim/datasets/imagenet_lsvrc_2015_synsets.txt in tensorflow/models.
WNIDS = tuple(Path(__file__).with_name("wnids.txt").read_text(encoding="ascii").split())
LABELS = {wnid: label for label, wnid in enumerate(WNIDS, start=1)}


def label_of(wnid: str) -> int:
    """The class, from 1 to 1000 in the order of the sorted wnids; slim's class 0 is the background.

    Raises InputError for a text that is none of the wnids.
    """
    if wnid not in LABELS:
        raise InputError(f"{wnid} is none of the 1,000 classes of ILSVRC-2012 ({WNIDS[0]} to {WNIDS[-1]})")
    return LABELS[wnid]
