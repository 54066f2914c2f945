"""How far a sound port lies from float64, as a multiple of TensorFlow's own distance, under harmless changes.

Threads 1 and 2, NCHW and channels_last; every layer and every channel with 100 values or more is one sample.
Usage: python benchmarks/calibration.py large 331 [--seed N] [--images FILE ...]. Results: docs/calibration.md.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from parity.candidate.capture import capture
from parity.core import metrics
from parity.core.layers import Network, parse_size, port_layers
from parity.core.metrics import Distance
from parity.core.policy import FLOAT32, UNIT
from parity.core.specification import DEFAULT_IMAGES, PHOTOGRAPHS, Specification
from parity.gates.context import NetworkContext
from parity.reference.interface import Variables
from parity.reference.live import LiveReference
from pnasnet_torch import variant
from pnasnet_torch.weights import from_tf_variables
from tf_reference.run import OfficialRun

BINS = (0, 3, 10, 20, 50, 100, 300, 1000, 10_000, np.inf)
VARIATIONS = {"2 threads": (2, False), "1 thread": (1, False), "channels_last": (2, True)}
# Rows of: ratio without the floor, effective number of values, pixels, units of rounding needed beyond the factor.
Samples = dict[str, list[np.ndarray]]


def samples(network: Network, seed: int, images: tuple[Path, ...]) -> Samples:
    context = NetworkContext(network, LiveReference(Specification((network,), None, images, ("official",), seed, 2)))
    layers = port_layers(network.variant)
    variables = context.variables()
    found: Samples = {"layer": [], "largest": [], "channel": []}
    for image in context.images():
        truth = official_values(context, "float64", variables, image[None])
        values = official_values(context, "float32", variables, image[None])
        official = {layer: metrics.distance(values.pop(layer), truth[layer]) for layer in layers}
        independent = metrics.independent_neighbourhoods(image)
        for threads, channels_last in VARIATIONS.values():
            torch.set_num_threads(threads)
            model = from_tf_variables(variant(network.variant).config, variables)
            if channels_last:
                model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

            def report(layer: str, actual: np.ndarray) -> None:
                port = metrics.distance(actual, truth[layer])  # noqa: B023
                add(found, port, official[layer], truth[layer], independent)  # noqa: B023

            capture(model, image[None], layers, report)
    return found


def official_values(
    context: NetworkContext, dtype: str, variables: Variables, images_nhwc: np.ndarray
) -> dict[str, np.ndarray]:
    with OfficialRun(context.graph(dtype)) as reference:
        reference.assign(variables)
        return reference.run(images_nhwc)


def add(found: Samples, port: Distance, official: Distance, truth: np.ndarray, independent: float) -> None:
    norm, largest, channels = metrics.norm(truth), metrics.largest(truth), truth.shape[-1]
    pixels = truth.size // channels
    floor = FLOAT32.floor_for(pixels, 1)

    def rows(
        measured: np.ndarray, own: np.ndarray, effective: np.ndarray, scale: float, plain: float, average: float = 0
    ) -> np.ndarray:
        needed = (measured - np.maximum(FLOAT32.factor(plain, effective) * own, average)) / scale / UNIT
        return np.stack([(measured - floor * scale) / own, effective, np.full_like(own, pixels), needed], axis=1)

    if official.l2:
        whole = np.array([min(official.effective, independent * channels)])
        l2, most = np.array([official.l2]), np.array([official.largest])
        found["layer"].append(rows(np.array([port.l2]), l2, whole, norm, FLOAT32.layer))
        found["largest"].append(rows(np.array([port.largest]), most, whole, largest, FLOAT32.largest))
    if pixels >= FLOAT32.channel_values:
        moved = official.by_channel > 0
        effective = np.minimum(official.effective_by_channel, independent)[moved]
        share, average = norm / np.sqrt(channels), official.l2 / np.sqrt(channels)
        measured, own = port.by_channel[moved], official.by_channel[moved]
        found["channel"].append(rows(measured, own, effective, share, FLOAT32.channel, average))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant")
    parser.add_argument("size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=Path, nargs="+", default=[PHOTOGRAPHS / name for name in DEFAULT_IMAGES])
    options = parser.parse_args()
    network = Network(options.variant, *parse_size(options.size))
    for kind, found in samples(network, options.seed, tuple(options.images)).items():
        if not found:
            continue
        ratios, effective, pixels, needed = np.concatenate(found).T
        for low, high in pairwise(BINS):
            if (inside := (effective >= low) & (effective < high)).any():
                worst = ratios[inside].max()
                chance = (np.log(np.maximum(ratios[inside], 1e-9)) * np.sqrt(effective[inside])).max()
                print(f"{network} {kind}, {low} to {high} effective values: {inside.sum():,} samples, ", end="")
                print(f"worst ratio {worst:.2f}, worst log(ratio) * sqrt(values) {chance:.1f}")
        for name, maps in (("small", pixels < FLOAT32.channel_values), ("other", pixels >= FLOAT32.channel_values)):
            if maps.any():
                print(f"{network} {kind}, {name} maps: floor needed {max(needed[maps].max(), 0):.1f} units of rounding")


if __name__ == "__main__":
    main()
