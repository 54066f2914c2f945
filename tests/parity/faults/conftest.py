"""The bench of Mobile at 65 pixels, where every map that is halved is even."""

from collections.abc import Iterator

import pytest

from parity.core.pinning import pin_torch
from parity.faults.bench import Bench
from parity.faults.campaign import EVEN, make_bench
from parity.faults.sites import Places


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    pin_torch(1)  # quicker on maps as small as these
    bench = make_bench(EVEN, 1)
    yield bench
    bench.close()


@pytest.fixture(scope="session")
def places(bench: Bench) -> Places:
    return Places(bench.graph)
