"""How far a sound port lies from float64, as a multiple of TensorFlow's own distance, under harmless changes.

Threads 1 and 2, NCHW and channels_last, on the default photographs; every layer and every channel with 100 values or
more is one sample. Usage: python benchmarks/calibration.py large 331 [--seed N]. Results: docs/calibration.md.
"""

import argparse
from itertools import pairwise

import numpy as np
import torch

from parity import metrics
from parity.capture import capture
from parity.layers import Network, parse_size, port_layers
from parity.metrics import Distance
from parity.options import DEFAULT_IMAGES, PHOTOGRAPHS, Options
from parity.policy import FLOAT32
from parity.session import ParitySession, Variables
from pnasnet_torch import variant
from pnasnet_torch.weights import from_tf_variables
from tf_reference.preprocess import load_images
from tf_reference.run import Reference

BINS = (0, 3, 10, 20, 50, 100, 300, 1000, 10_000, np.inf)
VARIATIONS = {"2 threads": (2, False), "1 thread": (1, False), "channels_last": (2, True)}
Samples = dict[str, list[np.ndarray]]


def samples(network: Network, seed: int) -> Samples:
    """For layers, channels and largest elements: rows of (ratio without the floor, effective number of values)."""
    options = Options((network,), None, tuple(PHOTOGRAPHS / name for name in DEFAULT_IMAGES), "official", seed, 2, ())
    session = ParitySession(options, {})
    layers = port_layers(network.variant)
    variables = session.variables(network)
    found: Samples = {"layer": [], "largest": [], "channel": []}
    for image in load_images(session.source, options.images, network.height, network.width):
        truth = official_values(session, network, "float64", variables, image[None])
        values = official_values(session, network, "float32", variables, image[None])
        official = {layer: metrics.distance(values.pop(layer), truth[layer]) for layer in layers}
        for threads, channels_last in VARIATIONS.values():
            torch.set_num_threads(threads)
            model = from_tf_variables(variant(network.variant).config, variables)
            model.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)

            def report(layer: str, actual: np.ndarray) -> None:
                add(found, metrics.distance(actual, truth[layer]), official[layer], truth[layer])  # noqa: B023

            capture(model, image[None], layers, report)
    return found


def official_values(
    session: ParitySession, network: Network, dtype: str, variables: Variables, images_nhwc: np.ndarray
) -> dict[str, np.ndarray]:
    with Reference(session.graph(network, dtype)) as reference:
        reference.assign(variables)
        return reference.run(images_nhwc)


def add(found: Samples, port: Distance, official: Distance, truth: np.ndarray) -> None:
    norm, channels = metrics.norm(truth), truth.shape[-1]
    floor = FLOAT32.floor
    if official.l2:
        found["layer"].append(np.array([[(port.l2 - floor * norm) / official.l2, official.effective]]))
        largest = (port.largest - floor * metrics.largest(truth)) / official.largest
        found["largest"].append(np.array([[largest, official.effective]]))
    if truth.size // channels >= FLOAT32.channel_values:
        moved = official.by_channel > 0
        excess = port.by_channel - floor * norm / np.sqrt(channels)
        ratios = excess[moved] / official.by_channel[moved]
        found["channel"].append(np.stack([ratios, official.effective_by_channel[moved]], axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant")
    parser.add_argument("size")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    network = Network(options.variant, *parse_size(options.size))
    for kind, rows in samples(network, options.seed).items():
        ratios, effective = np.concatenate(rows).T
        for low, high in pairwise(BINS):
            if (inside := (effective >= low) & (effective < high)).any():
                worst = ratios[inside].max()
                chance = (np.log(np.maximum(ratios[inside], 1e-9)) * np.sqrt(effective[inside])).max()
                print(f"{network} {kind}, {low} to {high} effective values: {inside.sum():,} samples, ", end="")
                print(f"worst ratio {worst:.2f}, worst log(ratio) * sqrt(values) {chance:.1f}")


if __name__ == "__main__":
    main()
