"""Faults of rows and columns show wherever maps are no squares, and nowhere else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from parity.candidate.model import candidate_model
from parity.candidate.port import make_model
from parity.core.layers import DEFAULT_SIZES, Network
from parity.core.pinning import pin_torch
from parity.diagnosis.replay import observe
from parity.faults import sides
from parity.faults.bench import Bench
from parity.faults.campaign import EVEN, WIDE, Job, attempt, make_bench
from parity.faults.fault import Fault
from parity.faults.nonsquare import ROWS_AND_COLUMNS
from parity.faults.plant import copied
from parity.faults.sites import Places
from pnasnet_torch import Config, PNASNet
from pnasnet_torch.genotype import plan_cells
from tf_reference.graph import GraphSpec, ReferenceGraph
from tf_reference.layers import Layer

CHANGES = sides.MAPS | sides.IMAGES | {"strided": sides.strided}
Size = tuple[int, int]
BY_NAME = {fault.name: fault for fault in ROWS_AND_COLUMNS}
# In the tiny port all maps that are halved are even, all are odd, or of each one side is even and the other odd.
SQUARES, OBLONG = ((33, 33), (35, 35)), (33, 35)


@dataclass(frozen=True)
class PortPlaces(Places):
    """The layers and cells of a port, of whatever configuration."""

    config: Config

    def cells(self, where: str = "any") -> list[str]:
        return [plan.scope for plan, _ in plan_cells(self.config)]


def places_of(model: PNASNet, size: Size) -> PortPlaces:
    """The port's own layers, from a run without an image."""
    seen = observe(model, np.zeros((0, *size, 3), np.float32), outputs_of=list(candidate_model(model).layers))
    layers = {
        name: Layer(name, "", "", (None, *output.shape[1:]), "float32", tuple(row[-1] for row in seen.givers[name]))
        for name, output in seen.outputs.items()
    }
    return PortPlaces(ReferenceGraph(GraphSpec("mobile", *size), None, layers, {}), model.config)


def logits(model: PNASNet, size: Size) -> Tensor:
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.inference_mode():
        return model(images)


class Sound(NamedTuple):
    """A tiny port of all kinds of cells, and what it has and gives at each size."""

    model: PNASNet
    places: dict[Size, Places]
    logits: dict[Size, Tensor]


@pytest.fixture(scope="module")
def sound() -> Sound:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = PNASNet(Config(num_cells=3, num_conv_filters=8, num_classes=7)).eval()
    sizes = (*SQUARES, OBLONG)
    places: dict[Size, Places] = {size: places_of(model, size) for size in sizes}
    model = model.double()
    return Sound(model, places, {size: logits(model, size) for size in sizes})


def planted(sound: PNASNet, fault: Fault, sites: list[str]) -> PNASNet:
    """A copy with the fault at all of these sites."""
    model = copied(sound)
    for site in sites:
        fault.plant(model, site)
    return model


@pytest.mark.parametrize(("name", "pads"), [*sides.PADS.items(), *sides.SIZES.items()])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_a_padding_is_wrong_on_no_square(name: str, pads: sides.MapPads, kernel: int) -> None:
    """And on all maps whose sides are padded differently, or have different halves."""
    for rows, columns in product(range(1, 24), repeat=2):
        shows = rows % 2 != columns % 2 if name in sides.PADS else -(-rows // 2) != -(-columns // 2)
        assert (pads((rows, columns), kernel, 2) != sides.same((rows, columns), kernel, 2)) == shows


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_a_map_leaves_squares_as_they_are(name: str) -> None:
    x = torch.rand(2, 3, 6, 6)
    assert torch.equal(CHANGES[name](x), x)
    for size in ((5, 6), (6, 5), (4, 9)):
        x = torch.rand(2, 3, *size)
        assert not torch.equal(CHANGES[name](x), x)


def differs(compute: Callable[[], Tensor], expected: Tensor) -> bool:
    """Whether it computes other values, or none."""
    try:
        return not torch.allclose(compute(), expected)
    except (RuntimeError, IndexError):
        return True


@pytest.mark.parametrize("name", sides.MEANS)
def test_a_mean_is_right_on_squares_alone(name: str) -> None:
    mean, x = sides.MEANS[name], torch.rand(2, 3, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(mean(x), x.mean(dim=(2, 3)))
    for other in (x[:, :, :5], x[:, :, :, :5]):
        assert differs(partial(mean, other), other.mean(dim=(2, 3)))


@pytest.mark.parametrize("fault", ROWS_AND_COLUMNS, ids=lambda fault: fault.name)
def test_square_images_show_nothing(sound: Sound, fault: Fault) -> None:
    """Of faults at all their sites, which other images show or which then end the port."""
    sites = fault.where(sound.places[OBLONG])
    assert sites
    faulty = planted(sound.model, fault, sites)
    for size in SQUARES:
        assert not fault.where(sound.places[size])
        torch.testing.assert_close(logits(faulty, size), sound.logits[size], rtol=1e-12, atol=1e-12)
    assert differs(partial(logits, faulty, OBLONG), sound.logits[OBLONG])


@pytest.mark.parametrize("variant", DEFAULT_SIZES)
def test_a_plain_run_has_images_that_show_them_wherever_others_do(variant: str) -> None:
    (size,) = [size for size in DEFAULT_SIZES[variant] if "x" in size]
    height, width = map(int, size.split("x"))
    model = make_model(Network(variant, height, width), "float32")
    places, others = places_of(model, (height, width)), places_of(model, (65, 67))
    assert [fault.where(places) for fault in ROWS_AND_COLUMNS] == [fault.where(others) for fault in ROWS_AND_COLUMNS]


# One of each kind, together at all places of the network.
TOGETHER = {
    "depthwise: padding of rows and columns exchanged",
    "max-pool: padding of rows and columns exchanged",
    "sum: laid out as columns x rows",
    "reduction: second path, padding of the rows for both",
    "1x1 of stride 2: positions of the columns for both",
    "states cropped to a square",
    "image: read as columns x rows",
    "mean: over the rows squared",
}


@pytest.mark.slow
def test_a_square_network_passes_with_many_of_them(bench: Bench) -> None:
    """By every gate."""
    assert bench.network == EVEN.network

    def plant(model: PNASNet) -> None:
        places = places_of(model, (65, 67))
        for name in TOGETHER:
            for site in BY_NAME[name].where(places):
                BY_NAME[name].plant(model, site)

    assert bench.trial(plant).gates == []


@pytest.fixture(scope="module")
def wide() -> Iterator[Bench]:
    pin_torch(1)
    bench = make_bench(WIDE, 1)
    yield bench
    bench.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["padding of rows and columns exchanged", "pixels before exchanged"])
def test_all_places_are_named_at_once(wide: Bench, name: str) -> None:
    """All that halve a map, though the port may end at the first sum behind them."""
    faults = [BY_NAME[f"{kind}: {name}"] for kind in ("depthwise", "max-pool")]
    sites = [(fault, site) for fault in faults for site in fault.where(Places(wide.graph))]

    def plant(model: PNASNet) -> None:
        for fault, site in sites:
            fault.plant(model, site)

    trial = wide.trial(plant)
    assert trial.verdict
    assert {(culprit.layer, culprit.kind) for culprit in trial.verdict.culprits} == {
        (site, "operation") for _, site in sites
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TOGETHER))
def test_each_is_put_at_its_layers(wide: Bench, name: str) -> None:
    """At the last of its sites."""
    site = BY_NAME[name].where(Places(wide.graph))[-1]
    outcome = attempt(wide, Job(WIDE, name, site))
    assert outcome.right, outcome
