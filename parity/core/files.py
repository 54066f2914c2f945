"""Files that appear whole or not at all."""

from tf_reference.cache import replacing

__all__ = ["replacing"]
