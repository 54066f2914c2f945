"""Files that appear whole or not at all, and the system's reason where they cannot be written."""

from tf_reference.files import check_room, check_writable, reading, reason, replacing, staging, writing

__all__ = ["check_room", "check_writable", "reading", "reason", "replacing", "staging", "writing"]
