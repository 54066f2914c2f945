"""How messages name many things."""

from collections.abc import Collection
from itertools import islice


def few(names: Collection[str], limit: int = 5) -> str:
    """Return the first names in a phrase, and how many there are besides."""
    phrase = ", ".join(islice(names, limit))
    if len(names) > limit:
        phrase += f" and {len(names) - limit:,} more"
    return phrase
