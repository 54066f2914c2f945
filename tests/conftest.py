"""What has to be done before any test."""

from parity.environment import import_triton

# Tests of the official network may come before those that compile the port.
import_triton()
