"""A checkpoint that behaves like a trained one: seeded weights, batch norms calibrated on photographs.

The released weights cannot be had everywhere. With plain random ones activations grow by a factor of five per cell;
here each batch norm's moving statistics are those of photographs, so values keep a natural scale at every depth.
"""

import hashlib
import json
import logging
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tf_reference import checkpoint
from tf_reference.cache import cached_file
from tf_reference.files import staging, writing
from tf_reference.graph import GraphSpec, reference_graph
from tf_reference.official import Source
from tf_reference.preprocess import load_images
from tf_reference.run import OfficialRun

log = logging.getLogger(__name__)

# Gain of the last layer: different photographs shall give clearly different logits.
LOGITS_GAIN = 12.0
FEATURES = "final_layer.mean"
# Drop path would make the calibration random; dropout sits behind the last batch norm.
CALIBRATION = (("drop_path_keep_prob", 1.0),)


def synthetic_checkpoint(source: Source, variant: str, image_size: int, seed: int, photographs: Sequence[Path]) -> Path:
    """Return the prefix of the checkpoint for `variant`, `seed` and calibration `photographs`.

    The checkpoint is made if it is not in the cache.
    """
    index = index_of(source, variant, image_size, seed, photographs)
    prefix = index.with_suffix("")
    if not index.exists():
        log.info("making the synthetic checkpoint: %s, seed %d", variant, seed)
        variables = synthetic_variables(source, variant, image_size, seed, photographs)
        with writing(prefix), staging(prefix.parent) as stage:
            checkpoint.write(stage / prefix.name, variables)
            # The index comes last, so a checkpoint with an index is whole.
            for path in sorted(stage.iterdir()):
                path.replace(prefix.with_name(path.name))
    return prefix


def index_of(source: Source, variant: str, image_size: int, seed: int, photographs: Sequence[Path]) -> Path:
    """Return where the index of such a checkpoint lies in the cache, or would."""
    # All that the values depend on, this module among it: a change of any of them makes another checkpoint.
    content = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (*photographs, Path(__file__))]
    key = hashlib.sha256(json.dumps([variant, image_size, seed, content, source.fingerprint]).encode()).hexdigest()
    return cached_file("checkpoints", f"{variant}-seed{seed}-{key[:16]}.ckpt.index")


def graph_of(variant: str, image_size: int) -> GraphSpec:
    """Return the network that such a checkpoint is calibrated with."""
    return GraphSpec(variant, image_size, image_size, training=True, hparams=CALIBRATION)


def synthetic_variables(
    source: Source, variant: str, image_size: int, seed: int, photographs: Sequence[Path], aux_head: bool = False
) -> dict[str, np.ndarray]:
    """Return variables by TensorFlow name, float32; those of the auxiliary head only if asked for."""
    graph = reference_graph(source, graph_of(variant, image_size))
    variables = {name: _initial(name, shape, seed) for name, shape in graph.shapes.items()}
    images_nhwc = load_images(source, photographs, image_size, image_size)
    # On one thread: with another number of them, the moments have other bits.
    with OfficialRun(graph, threads=1) as official:
        official.assign(variables)
        # In the training form each batch norm takes the batch's own statistics, so one run has those of all depths.
        for layer, (mean, variance) in official.moments(images_nhwc).items():
            scope = layer.replace(".", "/")
            variables[f"{scope}/moving_mean"] = mean
            variables[f"{scope}/moving_variance"] = variance
    with OfficialRun(graph, [FEATURES], threads=1) as official:
        official.assign(variables)
        average = official.run(images_nhwc)[FEATURES].mean(axis=0)
    # What all photographs have in common shall not decide the class.
    variables["final_layer/FC/biases"] -= average @ variables["final_layer/FC/weights"]
    if aux_head:
        return variables
    return {name: array for name, array in variables.items() if not name.startswith("aux_")}


def _initial(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return random values for one variable, float32."""
    # Each has a stream of its own, so that the order of the variables does not matter.
    rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
    match name.rpartition("/")[2]:
        case "gamma" | "moving_variance":
            values = rng.uniform(0.6, 1.6, shape)
        case "beta" | "moving_mean" | "biases":
            values = rng.normal(0.1, 0.3, shape)
        # Behind a ReLU, a deviation of sqrt(2 / inputs) keeps the scale of the values.
        case "depthwise_weights":
            values = rng.normal(0, np.sqrt(2 / (shape[0] * shape[1])), shape)
        case "weights" if len(shape) == 2:
            values = rng.normal(0, LOGITS_GAIN / np.sqrt(shape[0]), shape)
        case _:
            values = rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
    return values.astype(np.float32)
