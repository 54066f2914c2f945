"""Faults of the factorized reduction, which brings prev to half its size by two paths. Tensors are (N, C, H, W)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from parity.faults.fault import Fault, beside
from parity.faults.plant import change, exchange, part, replaced_by
from parity.faults.sites import Places
from pnasnet_torch import PNASNet

# The paths begin with every second pixel: the first from the first pixel, the second from the second.
FIRST_PATH = r"cell_\w+\.avg_pool"
SECOND_PATH = r".*\.avg_pool_1"


def _first_paths(places: Places) -> list[str]:
    """Return the convolutions of the first paths of factorized reductions."""
    return places.layers(r".*\.path1_conv")


def _has_equal_paths(places: Places, site: str) -> bool:
    """Return whether both paths of a factorized reduction have the same number of filters."""
    return places.channels(site) == places.channels(_path2(site))


def _even_split(places: Places) -> list[str]:
    """Return the first paths of the factorized reductions whose two paths are alike."""
    return [site for site in _first_paths(places) if _has_equal_paths(places, site)]


def _odd_split(places: Places) -> list[str]:
    """Return the first paths of the factorized reductions of an odd number of filters, by name."""
    return sorted(site for site in _first_paths(places) if not _has_equal_paths(places, site))


def _path2(site: str) -> str:
    """Return the second path's convolution, given the first one's."""
    return site.replace("path1", "path2")


def _exchange_paths(model: PNASNet, site: str) -> None:
    """Exchange the weights of both paths."""
    exchange(model, (site, "weight"), (_path2(site), "weight"))


def _other_split(model: PNASNet, site: str) -> None:
    """Give path1 n//2 + n%2 filters and path2 n//2, where the official code has it the other way round."""
    first_weight = part(model, site).weight
    second_weight = part(model, _path2(site)).weight
    weights = torch.cat([first_weight, second_weight])
    count = second_weight.shape[0]
    change(model, site, "weight", lambda _: weights[:count])
    change(model, _path2(site), "weight", lambda _: weights[count:])


def _relus_of_reductions(places: Places) -> list[str]:
    """Return the ReLUs before factorized reductions, the first of their cells."""
    return [f"{name.partition('.')[0]}.relu" for name in _first_paths(places)]


def _offset_in_rows(x: Tensor) -> Tensor:
    """Return every second pixel, from the second row and the first column."""
    padded = F.pad(x, (0, 0, 0, 1))
    return padded[:, :, 1::2, ::2]


def _padded_before(x: Tensor) -> Tensor:
    """Return every second pixel, from zeros before the first; as many as there should be."""
    padded = F.pad(x, (1, 0, 1, 0))
    return padded[:, :, : x.shape[2] : 2, : x.shape[3] : 2]


def _from_second_pixel(x: Tensor) -> Tensor:
    """Return every second pixel from the second, with zeros behind."""
    padded = F.pad(x, (0, 1, 0, 1))
    return padded[:, :, 1::2, 1::2]


def _padded_by_edge(x: Tensor) -> Tensor:
    """Return every second pixel from the second, with the last ones again behind."""
    padded = F.pad(x, (0, 1, 0, 1), "replicate")
    return padded[:, :, 1::2, 1::2]


REDUCTION = (
    Fault("reduction: paths exchanged", _even_split, _exchange_paths, at=beside("path1_conv", "path2_conv")),
    Fault(
        "reduction: paths concatenated the other way",
        lambda p: p.layers(r"cell_\w+\.concat"),
        replaced_by(lambda *paths: torch.cat(paths[::-1], 1)),
    ),
    Fault(
        "reduction: odd filters split the other way",
        _odd_split,
        _other_split,
        kind="structure",
        at=beside("path1_conv", "path2_conv"),
    ),
    Fault(
        "reduction: second path without offset",
        lambda p: p.layers(SECOND_PATH),
        replaced_by(lambda x: x[:, :, ::2, ::2]),
    ),
    Fault(
        "reduction: second path offset in rows alone",
        lambda p: p.layers(SECOND_PATH),
        replaced_by(_offset_in_rows),
    ),
    Fault("reduction: second path padded before", lambda p: p.layers(SECOND_PATH), replaced_by(_padded_before)),
    Fault(
        "reduction: first path from the second pixel",
        lambda p: p.layers(FIRST_PATH),
        replaced_by(_from_second_pixel),
    ),
    # An even map has as many pixels from the second on as from the first: nothing is padded there.
    Fault(
        "reduction: second path padded by its edge, odd map",
        lambda p: p.halving(SECOND_PATH, even=False),
        replaced_by(_padded_by_edge),
    ),
    Fault(
        "reduction: average of 2x2 pixels",
        lambda p: p.halving(FIRST_PATH),
        # ceil_mode, so that an odd map gives as many pixels as it should.
        replaced_by(lambda x: F.avg_pool2d(x, 2, ceil_mode=True)),
    ),
    Fault("reduction: ReLU missing", _relus_of_reductions, replaced_by(lambda x: x)),
)
