"""The evaluation: which images are this worker's, what both models say of them, and where that is kept."""

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from functools import cached_property
from pathlib import Path

import numpy as np

from parity.core.code import digest_of_logic
from parity.core.errors import InputError
from parity.core.layers import Network
from parity.core.machine import cpu
from parity.core.pinning import pin_torch
from parity.imagenet.dataset import Dataset, Image, deviations, open_dataset
from parity.imagenet.models import Models
from parity.imagenet.options import Settings, environment_worker
from parity.imagenet.pipeline import Batch, batches
from parity.imagenet.progress import Meter, Report
from parity.imagenet.record import Answer, Failure, Record, answer
from parity.imagenet.report import merge
from parity.imagenet.store import Store, check_fingerprint, read_fingerprint, read_records, worker_files
from parity.imagenet.summary import Summary
from pnasnet_torch import variant
from pnasnet_torch.decode import ImageError
from pnasnet_torch.weights import empty_network, variable_shapes
from tf_reference import checkpoint, official

# What the records depend on, with all that these import: preprocessing; the models, and what is kept of their answers.
PREPROCESSING = ("pnasnet_torch.decode", "pnasnet_torch.preprocess")
CODE = ("parity.imagenet.models", "parity.imagenet.pipeline", "parity.imagenet.record")
VERSIONS = ("torch", "tensorflow", "tf-slim", "tf-keras", "numpy", "numba", "simplejpeg", "pillow")
# On these images the official network's own distance from float64 is measured, which costs more than both forwards.
MEASURED_FIRST, MEASURED_EVERY = 2, 250

Watch = Callable[[Meter], AbstractContextManager[Report]]


class Evaluation:
    """All that evaluating `settings` needs and that its networks share. Raises InputError for data of no use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rank, self.world, _, on_this_machine = environment_worker()
        self.threads = max(1, settings.threads // on_this_machine)
        pin_torch(self.threads)
        self.source = official.find(settings.reference)

    @cached_property
    def dataset(self) -> Dataset:
        """The validation set, found to be whole unless a part was asked for."""
        settings = self.settings
        dataset = open_dataset(settings.imagenet, settings.devkit)
        found = deviations(dataset)
        if found and not (settings.partial or settings.limit):
            listed = "\n  ".join(found)
            raise InputError(
                f"{dataset.path} ({dataset.layout}) is not the full validation set:\n  {listed}\n"
                "Complete it, or say --partial if that is what you mean to evaluate"
            )
        if (settings.limit or 0) > len(dataset.images) and not settings.partial:
            raise InputError(f"--limit {settings.limit}: {dataset.path} has {len(dataset.images):,} images")
        return dataset

    @property
    def count(self) -> int:
        """How many images are to be evaluated, by all workers together."""
        return min(len(self.dataset.images), self.settings.limit or len(self.dataset.images))

    @cached_property
    def variables(self) -> Mapping[str, np.ndarray]:
        """The checkpoint's variables, by TensorFlow's names."""
        return checkpoint.read(self.settings.checkpoint)

    def header(self) -> list[str]:
        """Lines that say what is evaluated, and on what."""
        settings, dataset = self.settings, self.dataset
        limited = f", of which the first {self.count:,}" if self.count < len(dataset.images) else ""
        networks, sides = ", ".join(map(str, settings.networks)), " and ".join(settings.sides)
        return [
            f"imagenet: {dataset.path} ({dataset.layout}): {len(dataset.images):,} images{limited}",
            *(f"imagenet: not the full set, as asked for: {text}" for text in deviations(dataset)),
            *(f"imagenet: {note}" for note in dataset.notes),
            f"imagenet: {networks}, {sides}, {settings.checkpoint}",
            f"imagenet: {cpu()}, {self.threads} threads, port on {settings.device}; results in {settings.output}",
        ]

    def folder(self, network: Network) -> Path:
        """Where the records of `network` lie, one file a worker."""
        alone = f"-{self.settings.sides[0]}" if len(self.settings.sides) == 1 else ""
        return self.settings.output / f"{network}{alone}"

    @cached_property
    def _code(self) -> dict[str, str]:
        """The digests of the code that a record depends on: half a second's work, the same for every network."""
        return {"preprocessing": digest_of_logic(*PREPROCESSING), "code": digest_of_logic(*CODE)}

    def fingerprint(self, network: Network) -> dict[str, str]:
        """All that a record depends on, so that records of something else are never counted in."""
        versions = {name: importlib.metadata.version(name) for name in VERSIONS}
        given = {
            "network": str(network),
            "sides": " ".join(self.settings.sides),
            "checkpoint": checkpoint.fingerprint(self.settings.checkpoint),
            "reference": self.source.fingerprint,
            "images": self.dataset.digest,
        }
        return given | self._code | versions

    def files(self, network: Network) -> list[Path]:
        """The files of all workers that there are. Raises InputError where one holds records of something else."""
        paths, own = worker_files(self.folder(network)), self.fingerprint(network)
        for path in paths:
            if found := read_fingerprint(path):
                check_fingerprint(path, found, own)
        return paths

    def records(self, network: Network) -> Iterator[Record]:
        """The records of the images that are to be evaluated, whichever worker wrote them."""
        return (record for record in read_records(self.files(network)) if record.index < self.count)

    def summary(self, network: Network) -> Summary:
        """What all workers have done so far."""
        return merge(self.files(network), self.count)

    def run(self, network: Network, watch: Watch) -> None:
        """Evaluates what this worker is dealt and nobody has done; what `watch` yields is told of each stored batch."""
        meter, done = Meter(str(network)), set()
        for record in self.records(network):
            meter.count(record)
            done.add(record.index)
        mine, size = range(self.rank, self.count, self.world), self.settings.batch_size
        # Batches always begin at the same images: a run that was stopped repeats the very same ones.
        cut = [mine[start : start + size] for start in range(0, len(mine), size)]
        left = [kept for batch in cut if (kept := tuple(index for index in batch if index not in done))]
        with ExitStack() as stack:
            models = stack.enter_context(closing(self.models(network))) if left else None
            # Weights that do not fit leave no file behind.
            store = stack.enter_context(closing(self._store(network)))
            if models:
                meter.start(sum(map(len, left)))
                report = stack.enter_context(watch(meter))
                for batch in batches(self.dataset, network, left, self.threads):
                    records, failures = self._judge(models, batch)
                    store.add(records, failures)
                    report(records, failures)

    def models(self, network: Network) -> Models:
        """The sides that are evaluated. Raises InputError where the weights do not fit the network."""
        settings = self.settings
        shapes = variable_shapes(empty_network(variant(network.variant).config))
        checkpoint.check(settings.checkpoint, self.variables, shapes)
        return Models(network, settings.sides, self.source, self.variables, self.threads, settings.device)

    def _store(self, network: Network) -> Store:
        path = self.folder(network) / f"worker-{self.rank}-of-{self.world}.sqlite"
        machine = f"{cpu()}, {self.threads} threads, {self.settings.device}"
        return Store(path, self.fingerprint(network), self.count, machine)

    def _judge(self, models: Models, batch: Batch) -> tuple[list[Record], list[Failure]]:
        """The batch's records, and the images of which there is none."""
        records: list[Record] = []
        failures: list[Failure] = []
        sound = [pixels for pixels in batch.pixels if isinstance(pixels, np.ndarray)]
        logits = {side: iter(rows) for side, rows in models.logits(np.stack(sound)).items()} if sound else {}
        for index, pixels in zip(batch.indices, batch.pixels, strict=True):
            image = self.dataset.images[index]
            if isinstance(pixels, ImageError):
                failures.append(Failure(index, image.name, str(pixels)))
                continue
            own = {side: next(rows) for side, rows in logits.items()}
            truth = models.truth if measured(index) else None
            try:
                records.append(_record(index, image, own, truth.logits(pixels[None])[0] if truth else None))
            except ValueError as error:
                failures.append(Failure(index, image.name, str(error)))
        return records, failures


def measured(index: int) -> bool:
    """Whether the official network's own error is measured on this image."""
    return index < MEASURED_FIRST or index % MEASURED_EVERY == 0


def _record(index: int, image: Image, logits: Mapping[str, np.ndarray], truth: np.ndarray | None) -> Record:
    answers: dict[str, Answer] = {side: answer(values, image.label, side) for side, values in logits.items()}
    difference = error = None
    if len(logits) == 2:
        difference = float(np.abs(logits["port"].astype(np.float64) - logits["official"]).max())
    if truth is not None:
        error = float(np.abs(truth - logits["official"]).max())
    return Record(index, image.name, image.label, **answers, difference=difference, official_error=error)
