"""The port's forward and backward on a batch, reported as they are computed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from parity.candidate.capture import CandidateError, to_nchw, to_nhwc
from parity.candidate.model import views
from parity.candidate.training.hooks import Given, Report, ReportError, ReportGradient, asked, report_gradient
from parity.candidate.training.unfused import unfused_statistics
from parity.core.layers import Network, layer_modules
from parity.core.training_names import AVERAGE
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.operations import RandomOperation, SameMaxPool2d
from pnasnet_torch.optimizer import Averages, RMSProp, clip_by_global_norm
from pnasnet_torch.training import Losses, regularized, training_loss
from pnasnet_torch.weights import empty_network, load_tf_variables, variable_targets
from tf_reference.training_run import Batch

Make = Callable[..., PNASNet]
# What the optimiser keeps, by TensorFlow's names.
SLOTS = {"rms": "mean_square", "momentum": "momentum"}


def make_model(network: Network, training: bool = True, dtype: str = "float64") -> PNASNet:
    """The port, in training with its auxiliary head for the network's image size; weights are to be
    loaded."""
    config = variant(network.variant).config
    if training:
        config = replace(config, aux_image_size=(network.height, network.width))
    return empty_network(config, getattr(torch, dtype)).train(training)


class TrainingPort:
    """A port that trains. Raises CandidateError for whatever the port raises."""

    def __init__(self, model: PNASNet, variables: Mapping[str, np.ndarray]) -> None:
        self.model = model
        load_tf_variables(model, variables)
        model.requires_grad_()

    @property
    def layers(self) -> Mapping[str, nn.Module]:
        return layer_modules(self.model)

    @property
    def max_pools(self) -> dict[str, tuple[int, int]]:
        """Kernel and stride of each max-pool."""
        layers = self.layers.items()
        return {name: (module.kernel, module.stride) for name, module in layers if isinstance(module, SameMaxPool2d)}

    def regularized(self) -> set[str]:
        """The variables, by TensorFlow's names, whose L2 norm is part of the loss."""
        names = {target.parameter: name for name, target in variable_targets(self.model).items()}
        return {names[parameter] for parameter, _ in regularized(self.model)}

    def forward(self, batch: Batch, report: Report) -> None:
        """One forward: calls `report` with each layer's output (NHWC) as it is computed, and holds none of them."""

        def after(name: str, output: Tensor) -> None:
            asked(report, name, to_nhwc(output))

        with self._hooked(after), torch.no_grad():
            self._forward(batch)

    def backward(
        self, batch: Batch, report: ReportGradient, value: Callable[[str], np.ndarray | None] = lambda _name: None
    ) -> Losses:
        """One forward and backward: calls `report` with the total loss's gradient at each layer (NHWC) as it is
        computed, then with that of each variable (by TensorFlow's name and in its layout). What `report` returns for a
        layer, if anything, the gradient goes on from, and the forward from what `value` returns (NHWC)."""

        def after(name: str, output: Tensor) -> Tensor | None:
            if (other := value(name)) is not None:
                output = Given.apply(output, to_nchw(other, output.dtype))  # type: ignore[no-untyped-call]
            report_gradient(report, name, output)
            return output

        with self._hooked(after):
            losses = self._forward(batch)
            losses.total.backward()  # type: ignore[no-untyped-call]
        self._report_variables(report)
        return losses

    def backward_from(
        self, layer: str, images_nhwc: np.ndarray, given_nhwc: np.ndarray, values: Report, gradients: ReportGradient
    ) -> None:
        """One forward, of which `values` is called with each layer's output (NHWC), and a backward like the other, from
        a gradient that is given at `layer` (NHWC)."""
        found: dict[str, Tensor] = {}

        def after(name: str, output: Tensor) -> None:
            asked(values, name, to_nhwc(output))
            report_gradient(gradients, name, output)
            if name == layer:
                found[name] = output

        with self._hooked(after):
            self.model(to_nchw(images_nhwc, torch.float64))
            found[layer].backward(to_nchw(given_nhwc, torch.float64))  # type: ignore[no-untyped-call]
        self._report_variables(gradients)

    def _report_variables(self, report: ReportGradient) -> None:
        parameters = self.model.named_parameters()
        found = {name: parameter.grad for name, parameter in parameters if parameter.grad is not None}
        for name, gradient in self._by_variable(found).items():
            report(name, gradient)

    @contextmanager
    def _hooked(self, after: Callable[[str, Tensor], Tensor | None]) -> Iterator[None]:
        """Calls `after` with each layer's name and output, and goes on from what it returns, if anything. An error, but
        for one in what is called, is a CandidateError with the name of the last one."""
        running = ""

        def called(name: str, output: Tensor) -> Tensor | None:
            nonlocal running
            running = name
            return after(name, output)

        modules = self.layers.items()
        handles = [
            module.register_forward_hook(lambda _module, _inputs, output, name=name: called(name, output))
            for name, module in modules
        ]
        try:
            yield
        except ReportError as error:
            raise error.error from None
        except Exception as error:
            raise CandidateError(running, error) from error
        finally:
            for handle in handles:
                handle.remove()

    def update(self, batches: Iterable[Batch], rate: float) -> dict[str, np.ndarray]:
        """Whole steps, one for each batch. Returns all variables, and what the optimiser and the averages keep, by
        TensorFlow's names and in its layout."""
        model = self.model
        optimizer, averages = RMSProp(model.parameters(), rate), Averages(model)
        try:
            for batch in batches:
                model.zero_grad()
                with unfused_statistics(model):
                    self._forward(batch).total.backward()  # type: ignore[no-untyped-call]
                clip_by_global_norm(model.parameters())
                optimizer.step()
                averages.update(model, batch.step)
        except Exception as error:
            raise CandidateError("", error) from error
        state = {name: optimizer.state[parameter] for name, parameter in model.named_parameters()}
        kept = {f"/{slot}": {name: row[ours] for name, row in state.items()} for slot, ours in SLOTS.items()}
        kept |= {f"/{AVERAGE}": averages.values}
        found = self.variables()
        for slot, values in kept.items():
            found |= {name + slot: value for name, value in self._by_variable(values).items()}
        return found

    def variables(self) -> dict[str, np.ndarray]:
        """All of them as they are, by TensorFlow's names and in its layout."""
        return self._by_variable(self.model.state_dict())

    def _by_variable(self, values: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        """Tensors by parameter's name."""
        return {name: value.numpy() for name, value in views(values, variable_targets(self.model)).items()}

    def _forward(self, batch: Batch) -> Losses:
        self._share(batch.draws)
        dtype = next(self.model.parameters()).dtype
        outputs = self.model(to_nchw(batch.images_nhwc, dtype), batch.step)
        with torch.no_grad():
            self.model.final_layer.predict(outputs.logits)
        return training_loss(self.model, outputs, torch.from_numpy(batch.labels))

    @property
    def random_operations(self) -> Mapping[str, RandomOperation]:
        """Those that do draw: drop path does not where everything is kept."""
        modules = self.model.named_modules()
        return {name: module for name, module in modules if isinstance(module, RandomOperation) and module.draws_any}

    def _share(self, draws: Mapping[str, np.ndarray]) -> None:
        """Gives each random operation its draws; one that the official network lacks draws its own, which shows."""
        for name, module in self.random_operations.items():
            module.draws = torch.from_numpy(draws[name]) if name in draws else None
