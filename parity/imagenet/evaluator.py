"""The evaluation as `pytest --full-imagenet` runs it: network by network, with one table at the end."""

from typing import Any

from parity.core.errors import InputError
from parity.core.layers import Network
from parity.core.result import LayerResult
from parity.imagenet.evaluate import Evaluation, Watch
from parity.imagenet.options import Settings, published
from parity.imagenet.report import RESULT, table, write_figures
from parity.imagenet.summary import Summary


class Evaluator:
    """An evaluation that judges each network when it is asked for. Raises InputError for data of no use."""

    def __init__(self, settings: Settings, watch: Watch) -> None:
        self.settings = settings
        self._watch = watch
        self._evaluation = Evaluation(settings)
        self._summaries: list[Summary] = []
        self._expected = published(settings.expect, list(map(str, settings.networks)))

    def result(self, network: Network) -> LayerResult:
        """Return the result of the *imagenet* gate on `network`, over what is stored already and evaluated now."""
        self._evaluation.run(network, self._watch)
        summary = self._evaluation.summary(network)
        self._summaries.append(summary)
        return summary.result(self._expected[str(network)])

    def report(self) -> list[str]:
        """Return the table of what was evaluated, in lines, and write all figures as JSON; empty for no network."""
        if not self._summaries:
            return []
        target = self.settings.output / RESULT
        figures = f"imagenet: all figures: {target}"
        try:
            write_figures(self._summaries, self._expected, target)
        except InputError as error:
            figures = f"imagenet: {error}"
        return [*self._evaluation.header(), *table(self._summaries).splitlines(), figures]

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return all figures of each network that was evaluated, as plain data."""
        return [summary.as_dict(self._expected[summary.network]) for summary in self._summaries]

    def header(self) -> list[str]:
        """Return the lines that say what is evaluated, and on what."""
        return self._evaluation.header()

    def read(self, name: str) -> bytes:
        """Return the file of the image called `name`. Raises InputError as the data set does."""
        dataset = self._evaluation.dataset
        names = [image.name for image in dataset.images]
        return dataset.read(names.index(name))
