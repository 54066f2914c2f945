"""The evaluation as `pytest --full-imagenet` runs it: network by network, with one table at the end."""

from typing import Any

from parity.core.layers import Network
from parity.core.result import LayerResult
from parity.imagenet.evaluate import Evaluation, Watch
from parity.imagenet.options import Settings, published
from parity.imagenet.report import RESULT, conclude, table
from parity.imagenet.summary import Summary


class Evaluator:
    """Evaluates each network when it is asked for. Raises InputError for data of no use."""

    def __init__(self, settings: Settings, watch: Watch) -> None:
        self.settings = settings
        self._watch = watch
        self._evaluation = Evaluation(settings)
        self._summaries: list[Summary] = []
        self._expected = published(settings.expect, [str(network) for network in settings.networks])

    def result(self, network: Network) -> LayerResult:
        """The verdict on `network`, over what is stored already and what is evaluated now."""
        self._evaluation.run(network, self._watch)
        self._summaries.append(summary := self._evaluation.summary(network))
        return summary.result(self._expected[str(network)])

    def report(self) -> list[str]:
        """The table of what was evaluated, in lines, once it is written as JSON too."""
        if not self._summaries:
            return []
        target = self.settings.output / RESULT
        conclude(self._summaries, self._expected, target)
        return [*self._evaluation.header(), *table(self._summaries).splitlines(), f"imagenet: all figures: {target}"]

    def as_dicts(self) -> list[dict[str, Any]]:
        """All figures of each network that was evaluated, as plain data."""
        return [summary.as_dict(self._expected[summary.network]) for summary in self._summaries]

    def header(self) -> list[str]:
        """Lines that say what is evaluated, and on what."""
        return self._evaluation.header()

    def read(self, name: str) -> bytes:
        """The file of the image called `name`. Raises InputError as the data set does."""
        dataset = self._evaluation.dataset
        return dataset.read(next(number for number, image in enumerate(dataset.images) if image.name == name))
