"""What was observed of a gate's arrays, as plain data for report.json (docs/report.md)."""

from collections.abc import Mapping, Sequence
from typing import Any

from parity.core.result import LayerResult
from parity.report.collect import Observation
from parity.report.columns import number
from parity.report.measure import Closeup, Map
from parity.report.pictures import DIFFERENCES, VALUES, png

# What is told of every observation, in the order of report.json.
COLUMNS = ("row", "size", "scale", "counts", "low", "high", "points")


def observations(gate_results: Sequence[LayerResult], observed: Mapping[str, Observation]) -> dict[str, Any]:
    """Return what was `observed` of one gate's layers as columns, and their close-ups by row.

    The columns have an entry for each result that has an observation; `row` is its place in `gate_results`.
    """
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    closeups: dict[str, dict[str, Any]] = {}
    for row, result in enumerate(gate_results):
        observation = observed.get(result.layer)
        if observation is None:
            continue
        columns["row"].append(row)
        columns["size"].append(observation.size)
        columns["scale"].append(number(observation.histogram.scale))
        columns["counts"].append(observation.histogram.counts.tolist())
        columns["low"].append(number(observation.points.low))
        columns["high"].append(number(observation.points.high))
        columns["points"].append(observation.points.levels.tolist())
        if observation.closeup:
            closeups[str(row)] = closeup(observation.closeup)
    return {**columns, "closeups": closeups}


def closeup(layer: Closeup) -> dict[str, Any]:
    """Return a close-up as plain data: the worst elements, points, and pictures of the maps if there are maps."""
    worst = []
    for index, actual, expected in layer.worst:
        # All digits, as text: the page shows the difference of the two values.
        worst.append([list(index), repr(actual), repr(expected)])
    maps = {}
    if layer.port and layer.expected and layer.difference:
        maps = {
            "port": picture(layer.port, VALUES),
            "expected": picture(layer.expected, VALUES),
            "difference": picture(layer.difference, DIFFERENCES),
        }
    return {
        "worst": worst,
        "low": number(layer.points.low),
        "high": number(layer.points.high),
        "points": layer.points.levels.tolist(),
        "maps": maps,
    }


def picture(channel: Map, colours: tuple[str, ...]) -> dict[str, Any]:
    """Return a map as a PNG in base64, with its sides in pixels and the values of its lowest and highest level."""
    height, width = channel.levels.shape
    return {
        "width": width,
        "height": height,
        "low": number(channel.low),
        "high": number(channel.high),
        "png": png(channel.levels, colours),
    }
