"""A small network, trained officially once."""

import pytest

from parity.faults.training.bench import TrainingBench


@pytest.fixture(scope="session")
def bench() -> TrainingBench:
    return TrainingBench.make()
