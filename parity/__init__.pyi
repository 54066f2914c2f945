from .report.checked import Checked
from .report.checking import assert_parity, check

__all__ = ["Checked", "assert_parity", "check"]
