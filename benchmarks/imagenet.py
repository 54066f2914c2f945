"""The evaluation against what it cannot do without, in one run: both models' bare forwards on the same batches.

    pnasnet-parity imagenet sample data/sample --variant mobile
    python benchmarks/imagenet.py data/sample/val data/sample/mobile.ckpt --images 200 --images 2000

Prints the rates, their ratio, and the process's memory at its highest after each number of images; the set is gone
through as often as it takes.
"""

import argparse
import resource
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace

import numpy as np

from parity.core.layers import Network
from parity.imagenet.dataset import Dataset
from parity.imagenet.evaluate import Evaluation
from parity.imagenet.options import OPTIONS, parse_settings
from parity.imagenet.pipeline import batches
from parity.imagenet.progress import Meter, Report, shown
from parity.imagenet.store import read_records


def repeated(dataset: Dataset, count: int) -> Dataset:
    """The set, gone through until there are `count` images."""
    times = -(-count // len(dataset.images))
    return replace(dataset, images=(dataset.images * times)[:count], places=(dataset.places * times)[:count])


def bare_rate(evaluation: Evaluation, network: Network, seconds: float) -> float:
    """Images a second through both models' forwards, pixels ready, for about so long."""
    size = evaluation.settings.batch_size
    with ExitStack() as stack:
        models = stack.enter_context(closing(evaluation.models(network)))
        (batch,) = batches(evaluation.dataset, network, [tuple(range(size))], 1)
        pixels = np.stack([image for image in batch.pixels if isinstance(image, np.ndarray)])
        done, start = -1, 0.0
        while done < 2 or time.perf_counter() - start < seconds:
            if done == 0:
                start = time.perf_counter()
            for side in models.sides.values():
                side.logits(pixels)
            done += 1
        return size * done / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("imagenet")
    parser.add_argument("checkpoint")
    parser.add_argument("--images", type=int, action="append")
    parser.add_argument("--image-size", action="append")
    arguments = parser.parse_args()
    given = {name.replace("-", "_"): keywords.get("default") for name, keywords in OPTIONS.items()}
    given |= vars(arguments) | {"partial": True, "reference": "official"}
    for count in arguments.images or [200]:
        with tempfile.TemporaryDirectory() as folder:
            settings = parse_settings((given | {"output": folder}).get)
            evaluation = Evaluation(settings)
            evaluation.__dict__["dataset"] = repeated(evaluation.dataset, count)
            network = settings.networks[0]
            before = bare_rate(evaluation, network, 20)
            begun: list[float] = []

            def watch(meter: Meter, begun: list[float] = begun) -> AbstractContextManager[Report]:
                begun.append(time.perf_counter())  # the models are loaded
                return shown(meter, None)

            evaluation.run(network, watch)
            whole = count / (time.perf_counter() - begun[0])
            after = bare_rate(evaluation, network, 20)
            assert sum(1 for _ in read_records(evaluation.files(network))) == count
        bare = (before + after) / 2
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{network}, {count} images: bare {before:.2f} and {after:.2f}/s, evaluation {whole:.2f}/s, ", end="")
        print(f"{whole / bare:.3f} times; memory {memory:.2f} GB at its highest", flush=True)


if __name__ == "__main__":
    main()
