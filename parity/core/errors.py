"""The exceptions for what was given and cannot be used, and for what was done in vain."""

from tf_reference.errors import InputError

__all__ = ["InputError", "JobError"]


class JobError(Exception):
    """A job that failed, with nothing wrong in what was given for it."""
