from .session.checking import Checked, assert_parity, check

__all__ = ["Checked", "assert_parity", "check"]
