"""The evaluation: which images are this worker's, what both models answer to them, and where that is kept."""

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from functools import cached_property
from pathlib import Path

from parity.core.alone import alone
from parity.core.code import digest_of_logic
from parity.core.errors import InputError
from parity.core.files import check_writable
from parity.core.layers import Network
from parity.core.machine import cpu, version
from parity.core.pinning import pin_torch
from parity.imagenet.answers import answer_batch
from parity.imagenet.dataset import Dataset, check_whole, deviations, open_dataset
from parity.imagenet.models import Models
from parity.imagenet.options import Settings
from parity.imagenet.output import check_file
from parity.imagenet.pipeline import batches
from parity.imagenet.progress import Meter, Report
from parity.imagenet.record import Record
from parity.imagenet.report import merge
from parity.imagenet.sides import OFFICIAL
from parity.imagenet.store import Store, check_fingerprint, read_fingerprint, read_records, worker_files
from parity.imagenet.summary import Summary
from pnasnet_torch.naming import is_of_head
from tf_reference import official

# What the records depend on, with all that these import: preprocessing; and from the pixels on to the records.
PREPROCESSING = ("pnasnet_torch.decode", "pnasnet_torch.preprocess")
CODE = ("parity.imagenet.answers",)
VERSIONS = ("torch", "numpy", "numba", "simplejpeg", "pillow")
OFFICIAL_VERSIONS = ("tensorflow", "tf-slim", "tf-keras")
# What may help someone who finds that another process evaluates the same.
WORKERS = ". Several workers are told apart by RANK and WORLD_SIZE"

Watch = Callable[[Meter], AbstractContextManager[Report]]


class Evaluation:
    """All that evaluating `settings` needs and that its networks share. Raises InputError for data of no use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rank = settings.worker.rank
        self.world = settings.worker.world
        # The workers of one machine share its cores.
        self.threads = max(1, settings.threads // settings.worker.local_world)
        # None where the port is evaluated alone, which takes no TensorFlow.
        self.source = official.find(settings.reference) if OFFICIAL in settings.sides else None
        self._check()

    def _check(self) -> None:
        """Raise InputError for what would end the evaluation, or leave it without a result, hours later."""
        if self.world > self.count:
            workers = f"{self.world:,} workers, as {self.settings.worker.told_by} say"
            raise InputError(f"there are {self.count:,} images for {workers}: start no more workers than images")
        check_writable(self.settings.output)
        for network in self.settings.networks:
            check_file(self.file(network), math.ceil(self.count / self.world))
            self.files(network)  # which refuses results of something else

    @cached_property
    def dataset(self) -> Dataset:
        """The validation set, found to be whole unless a part was asked for."""
        settings = self.settings
        dataset = open_dataset(settings.imagenet, settings.devkit)
        if not (settings.partial or settings.limit):
            check_whole(dataset)
        if (settings.limit or 0) > len(dataset.images) and not settings.partial:
            raise InputError(f"--limit {settings.limit}: {dataset.path} has {len(dataset.images):,} images")
        return dataset

    @property
    def count(self) -> int:
        """The number of images that are to be evaluated, by all workers together."""
        available = len(self.dataset.images)
        return min(available, self.settings.limit or available)

    def header(self) -> list[str]:
        """Return the lines that say what is evaluated, and on what."""
        settings = self.settings
        dataset = self.dataset
        limited = f", of which the first {self.count:,}" if self.count < len(dataset.images) else ""
        networks = ", ".join(map(str, settings.networks))
        sides = " and ".join(settings.sides)
        lines = [f"{dataset.path} ({dataset.layout}): {len(dataset.images):,} images{limited}"]
        lines += [f"not the full set, as asked for: {sentence}" for sentence in deviations(dataset)]
        lines += dataset.notes
        lines.append(f"{networks}, {sides}, {settings.checkpoint}")
        lines += settings.checkpoint.notes
        if settings.worker.told_by:
            lines.append(f"worker {self.rank} of {self.world}, as {settings.worker.told_by} say")
        lines.append(f"{cpu()}, {self.threads} threads, port on {settings.device}; results in {settings.output}")
        return [f"imagenet: {line}" for line in lines]

    def folder(self, network: Network) -> Path:
        """Return where the records of `network` lie, one file a worker."""
        # One side alone has a folder of its own, so that its records do not stand in the way of both sides'.
        side = f"-{self.settings.sides[0]}" if len(self.settings.sides) == 1 else ""
        return self.settings.output / f"{network}{side}"

    def file(self, network: Network) -> Path:
        """Return this worker's file, in which its earlier runs may have left records."""
        return self.folder(network) / f"worker-{self.rank}-of-{self.world}.sqlite"

    @cached_property
    def _code(self) -> dict[str, str]:
        """The digests of the code that a record depends on: half a second's work, the same for every network."""
        return {"preprocessing": digest_of_logic(*PREPROCESSING), "code": digest_of_logic(*CODE)}

    def fingerprint(self, network: Network) -> dict[str, str]:
        """Return all that a record depends on, so that records of something else are never counted in."""
        checkpoint = self.settings.checkpoint
        fingerprint = {
            "network": str(network),
            "sides": " ".join(self.settings.sides),
            "checkpoint": f"{checkpoint.sha256} {checkpoint.which}".strip(),
            "reference": self.source.fingerprint if self.source else "",
            "images": self.dataset.digest,
        }
        fingerprint |= self._code
        fingerprint |= {name: version(name) for name in VERSIONS}
        if self.source:
            fingerprint |= {name: version(name) for name in OFFICIAL_VERSIONS}
        return fingerprint

    def files(self, network: Network) -> list[Path]:
        """Return the files that workers have written. Raises InputError where one holds records of something else."""
        paths = worker_files(self.folder(network))
        expected = self.fingerprint(network)
        for path in paths:
            stored = read_fingerprint(path)
            if stored:  # a worker that was stopped before it wrote anything has none
                check_fingerprint(path, stored, expected)
        return paths

    def records(self, network: Network) -> Iterator[Record]:
        """Return the records of the images that are to be evaluated, whichever worker wrote them, one at a time."""
        stored = read_records(self.files(network))
        # An earlier run may have had a larger limit.
        return (record for record in stored if record.index < self.count)

    def summary(self, network: Network) -> Summary:
        """Return the summary of what all workers have done so far."""
        return merge(self.files(network), self.count)

    def done(self, network: Network) -> int:
        """Return how many of this worker's images have a record."""
        return sum(record.index % self.world == self.rank for record in self.records(network))

    def run(self, network: Network, watch: Watch) -> None:
        """Evaluate what this worker is dealt and nobody has done; what `watch` yields is told of each stored batch.

        Raises InputError where another process does the same.
        """
        pin_torch(self.threads)
        with ExitStack() as stack:
            stack.enter_context(alone(self.file(network), WORKERS))
            meter = Meter(str(network))
            done: set[int] = set()
            for record in self.records(network):
                meter.count(record)
                done.add(record.index)
            remaining = self._remaining(done)
            models = stack.enter_context(closing(self.models(network))) if remaining else None
            # Behind the models, so that weights that do not fit leave no file behind.
            store = stack.enter_context(closing(self._store(network)))
            if models is None:
                return
            meter.start(sum(map(len, remaining)))
            report = stack.enter_context(watch(meter))
            for batch in batches(self.dataset, network, remaining, self.threads):
                records, failures = answer_batch(models, self.dataset, batch)
                store.add(records, failures)
                report(records, failures)

    def _remaining(self, done: Collection[int]) -> list[tuple[int, ...]]:
        """Return this worker's batches, as indices of images, without the images that are `done`."""
        mine = range(self.rank, self.count, self.world)
        size = self.settings.batch_size
        remaining: list[tuple[int, ...]] = []
        # Batches always begin at the same images: a run that was stopped repeats the very same ones.
        for start in range(0, len(mine), size):
            indices = tuple(index for index in mine[start : start + size] if index not in done)
            if indices:
                remaining.append(indices)
        return remaining

    def models(self, network: Network) -> Models:
        """Return the sides that are evaluated, loaded."""
        settings = self.settings
        weights = settings.checkpoint.variables
        # Evaluation has no auxiliary head.
        variables = {name: array for name, array in weights.items() if not is_of_head(name)}
        return Models(network, settings.sides, self.source, variables, self.threads, settings.device)

    def _store(self, network: Network) -> Store:
        """Open this worker's file."""
        machine = f"{cpu()}, {self.threads} threads, {self.settings.device}"
        return Store(self.file(network), self.fingerprint(network), self.count, machine)
