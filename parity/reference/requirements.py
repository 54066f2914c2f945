"""What running the official network takes."""

import importlib.util

from parity.core.errors import InputError

REQUIRED = ("tensorflow", "tf_keras", "tf_slim")


def require_tensorflow() -> None:
    """Raise InputError, saying what to install, where the official network cannot run."""
    # Looked for and not imported: that would take seconds in a run that only collects.
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"pytest parity runs the official network and needs {', '.join(missing)}: "
            "python -m pip install 'pnasnet-parity[parity]' (in a checkout: python -m pip install -e '.[parity]'). "
            "Without TensorFlow a port is judged by a trace, --reference FILE.h5, or by --reference golden"
        )
