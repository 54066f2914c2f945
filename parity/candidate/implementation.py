"""A candidate: another implementation in PyTorch, by its adapter."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from parity.candidate.adapted import AdaptedModel
from parity.candidate.adapter import ALIGNED, Adapter
from parity.candidate.adapting import Adapting
from parity.candidate.interface import Candidate, CandidateRun
from parity.candidate.making import Maker
from parity.candidate.own_weights import OwnWeights, OwnWeightsPort, add_background, fill_from_file
from parity.candidate.parts import CandidateParts, candidate_parts
from parity.candidate.port import Port
from parity.core.code import Origin, origin_of
from parity.core.errors import InputError
from parity.core.layers import Network, port_layers
from parity.core.pinning import Pins
from parity.core.words import few
from pnasnet_torch import variant
from pnasnet_torch.targets import CLASSES


class Implementation(Candidate):
    """A candidate: a PyTorch implementation by its adapter, from the folder `root` where it is a checkout."""

    replayable = True

    def __init__(
        self,
        name: str,
        adapter: Adapter,
        root: Path | None = None,
        pins: Pins | None = None,
        function: Callable[[], object] | None = None,
        own_weights: OwnWeights | None = None,
        adapting: Adapting | None = None,
    ) -> None:
        """Judge what the adapter's function gives, or a `function` of the user's.

        It is filled with the reference's weights, or keeps its own. Where the adapter was found, `adapting` finds it at
        other image sizes.
        """
        self.name = name
        self._adapting = adapting
        self._own = own_weights
        self._background_was_added = False
        self.adapter = adapter
        self._root = root
        self._pins = pins or Pins()
        self._maker = Maker(adapter, self._pins, root, function)

    def refuses(self, network: Network) -> str:
        """Return why the implementation has no such network; empty if it has."""
        variants = self.adapter.names.variants
        if variants and network.variant not in variants:
            return f"it has PNASNet-5 {' and '.join(variants)} alone"
        sizes = self.adapter.sizes
        if sizes and (min(network.height, network.width) < sizes[0] or max(network.height, network.width) > sizes[1]):
            return f"it takes images of {sizes[0]} to {sizes[1]} pixels alone"
        return ""

    def unobservable(self, network: Network) -> frozenset[str]:
        """Return the official layers that nothing in the implementation gives."""
        at_size = self._adapter_at(network)
        return frozenset(layer for layer in port_layers(network.variant) if not at_size.shows(layer))

    def _adapter_at(self, network: Network) -> Adapter:
        """Return the adapter at a network's image size."""
        if not self._adapting or self.refuses(network):
            return self.adapter
        return self._adapting.nearest(network) or self.adapter

    def examine(self, networks: Iterable[Network]) -> None:
        """Raise InputError where the implementation's model cannot be had, or has not the official classes."""
        state = self._maker.make("float32").state_dict()
        for variant_name in {network.variant for network in networks}:
            classes = variant(variant_name).config.num_classes
            weight = state.get(self.adapter.names.parameter(CLASSES))
            # Many leave the background out.
            # Or have them behind the inputs.
            if weight is not None and not {classes, classes - 1} & set(weight.shape):
                raise InputError(
                    f"{self.name} gives a model of {len(weight):,} classes: the official network has {classes:,}, with "
                    f"the background as class 0; make it with {classes:,}, or with {classes - 1:,} without that"
                )
        if self._own and self._own.file:
            fill_from_file(self._maker.make("float32"), self._own.file)

    @property
    def notes(self) -> Sequence[str]:
        """Whether it was aligned, what its code changed of the settings, and whether it gave the same model again."""
        notes = []
        if self.adapter.names.name == ALIGNED:
            notes.append(f"{self.name} was aligned by its operations, which `pnasnet-parity align` writes down")
        if self._background_was_added:
            notes.append(
                f"{self.name} has no background among its classes: class 0 was added to its last layer, with the "
                "reference's weights, and those that it has are judged"
            )
        if self._own and self._own.said:
            notes.append(f"{self.name} has its own weights: {self._own.said}")
        if self.adapter.kept:
            names = few([pattern.replace("\\", "") for pattern in self.adapter.kept])
            which = "these weights are no layer's, or a layer's under a second name"
            notes.append(f"{self.name}: {which}, and stay as they are: {names}")
        if self._pins.changed:
            changes = ", ".join(self._pins.changed.values())
            notes.append(f"{self.name} changed {changes}: put back each time its code had run")
        if self._maker.repeats:
            notes.append(f"{self.name} gives the same model each time: each dtype was judged on a copy of it")
        return notes

    @property
    def origin(self) -> Origin:
        """Which code the implementation is."""
        return origin_of(self.adapter.make.partition(":")[0], self._root)

    def make(self, network: Network, dtype: str) -> AdaptedModel:
        """Return the implementation's model in `dtype`, whose weights are to be loaded.

        Raises InputError where it cannot be had.
        """
        module = self._maker.make(dtype)
        if self._own and self._own.file:
            fill_from_file(module, self._own.file)
        classes = variant(network.variant).config.num_classes
        if add_background(module, self.adapter.names, classes):
            self._background_was_added = True
        return AdaptedModel(module, self._adapter_at(network), network.variant, self._pins)

    def open(self, network: Network, dtype: str) -> CandidateRun:
        """Return one network of the implementation in one dtype, to be filled, or with its own weights, and run."""
        if not self._own:
            return Port(network, dtype, self.make)
        self._own.take(self.make(network, "float32"), self._background_was_added)
        return OwnWeightsPort(network, dtype, self.make, self._own)

    def parts(self, network: Network) -> CandidateParts:
        """Return the layers and variables that the implementation has, with their shapes and dtypes."""
        # Other implementations do not take a batch of no images.
        parts = candidate_parts(network, self.make, images=1)
        return parts._replace(unobservable=self.unobservable(network))
