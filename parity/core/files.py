"""Files that appear whole or not at all, the system's reason where they cannot be written, and their names."""

import os

from tf_reference.files import check_room, check_writable, reading, reason, replacing, staging, writing

__all__ = ["check_room", "check_writable", "printable", "reading", "reason", "replacing", "staging", "writing"]


def printable(name: str) -> str:
    """Return a file's name as text: its bytes may be none, which no database and no terminal takes."""
    return os.fsencode(name).decode(errors="backslashreplace")
