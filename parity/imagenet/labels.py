"""The label that slim's networks give to each of the 1000 classes of ILSVRC-2012."""

from parity.core.errors import InputError
from pnasnet_torch.classes import WNIDS

# From 1 on: slim's class 0 is the background.
LABELS = {wnid: label for label, wnid in enumerate(WNIDS, start=1)}


def label_of(wnid: str) -> int:
    """Return the class of a WordNet id, from 1 to 1000 in the order of the sorted wnids.

    Raises InputError for a text that is none of the wnids.
    """
    if wnid not in LABELS:
        raise InputError(f"{wnid} is none of the 1,000 classes of ILSVRC-2012 ({WNIDS[0]} to {WNIDS[-1]})")
    return LABELS[wnid]
