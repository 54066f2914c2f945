"""Mobile at 64 pixels beside TensorFlow, with faults planted in the port."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from parity.candidate.port import Port, make_model
from parity.core.layers import Network
from parity.core.pinning import pin_torch
from parity.core.specification import PHOTOGRAPHS
from parity.diagnosis.examiner import Examiner
from parity.diagnosis.probe import Probe
from parity.faults.bench import Bench
from parity.gates.context import NetworkContext, Sides
from parity.session.options import Options
from pnasnet_torch import PNASNet
from pnasnet_torch.weights import load_tf_variables

# Its maps are 31 pixels wide, then 16, 8, 4 and 2: odd and even ones are halved.
NETWORK = Network("mobile", 64, 64)
Examine = Callable[..., Examiner]


@pytest.fixture(scope="package")
def bench() -> Iterator[Bench]:
    """On one photograph; one thread is quicker on maps as small as these."""
    pin_torch(1)
    bench = Bench(Options((NETWORK,), None, (PHOTOGRAPHS / "chelsea.jpg",), ("official",), 0, 1))
    yield bench
    bench.close()


@pytest.fixture(scope="package")
def examine(bench: Bench) -> Examine:
    """Takes a fault and the names of layers, and examines these as the float64 gate runs them."""
    context = NetworkContext(NETWORK, bench.reference)
    variables, images = context.variables(), context.images()
    sides = {dtype: context.sides(dtype) for dtype in ("float64", "float32")}
    for official in sides.values():
        official.reference.assign(variables)

    def examine(fault: Callable[[PNASNet], object], *names: str, single: bool = True) -> Examiner:
        def make(network: Network, dtype: str) -> PNASNet:
            model = make_model(network, dtype)
            load_tf_variables(model, variables)
            fault(model)
            return model

        def planted(dtype: str) -> Sides:
            return replace(sides[dtype], candidate=Port(NETWORK, dtype, make))

        in_float32 = planted("float32") if single else None
        return Examiner(Probe(NETWORK, "float64", planted("float64"), images, variables, in_float32), names)

    return examine
