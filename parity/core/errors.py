"""The exception for what was given and cannot be used."""

from tf_reference.errors import InputError

__all__ = ["InputError"]
