"""The official source's own tests pass on current TensorFlow under the compatibility layer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = ["nets.nasnet.pnasnet_test", "nets.nasnet.nasnet_utils_test"]
# As they are TF1 tests: graph mode, and a fresh process, which they may change as they like.
RUN = """
import json, sys, unittest
from tf_reference.compat import tensorflow
from tf_reference.official import find
tensorflow().compat.v1.disable_eager_execution()
source = find()
suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromModule(source.load(name)) for name in sys.argv[1:])
result = unittest.TextTestRunner(verbosity=2).run(suite)
bad = [f"{test.id()}\\n{trace}" for test, trace in result.failures + result.errors]
print(json.dumps({"ran": result.testsRun, "skipped": len(result.skipped), "bad": bad}))
"""


@pytest.mark.official
def test_the_official_tests_pass() -> None:
    """All 17 of them; TensorFlow's TestCase adds one to each module that it always skips."""
    command = [sys.executable, "-c", RUN, *MODULES]
    result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert result.returncode == 0, result.stderr
    counts = json.loads(result.stdout.splitlines()[-1])
    assert counts["bad"] == []
    assert counts["skipped"] == 2
    assert counts["ran"] - counts["skipped"] == 17
