"""What can be wrong with what a user hands in; the message says what to do about it."""


class InputError(ValueError):
    """The official source, a checkpoint, an image or a size cannot be used."""
