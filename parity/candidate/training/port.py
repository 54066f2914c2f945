"""The port's forward and backward on a batch, reported as they are computed, and whole steps of training."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from parity.candidate.capture import CandidateError, blamed_on_candidate, to_nchw, to_nhwc
from parity.candidate.model import views
from parity.candidate.training.hooks import Given, Report, ReportError, ReportGradient, asked, report_gradient
from parity.candidate.training.unfused import unfused_statistics
from parity.core.layers import Network, layer_modules
from parity.core.training_names import AVERAGE
from pnasnet_torch import PNASNet, variant
from pnasnet_torch.operations import RandomOperation, SameMaxPool2d
from pnasnet_torch.optimizer import Averages, RMSProp, clip_by_global_norm
from pnasnet_torch.targets import variable_targets
from pnasnet_torch.training import Losses, regularized, training_loss
from pnasnet_torch.weights import empty_network, load_tf_variables
from tf_reference.training_run import Batch

Make = Callable[..., PNASNet]
# What the optimiser keeps, by TensorFlow's names.
SLOTS = {"rms": "mean_square", "momentum": "momentum"}


def make_model(network: Network, training: bool = True, dtype: str = "float64") -> PNASNet:
    """Return the port in `dtype`, whose weights are to be loaded; for training, with its auxiliary head.

    The head is that for the network's image size.
    """
    config = variant(network.variant).config
    if training:
        config = replace(config, aux_image_size=(network.height, network.width))
    return empty_network(config, getattr(torch, dtype)).train(training)


class TrainingPort:
    """A port that trains, filled with official variables. Its methods raise CandidateError for whatever it raises."""

    def __init__(self, model: PNASNet, variables: Mapping[str, np.ndarray]) -> None:
        self.model = model
        load_tf_variables(model, variables)
        model.requires_grad_()

    @property
    def layers(self) -> Mapping[str, nn.Module]:
        """The modules that give official layers, by the layer's name."""
        return layer_modules(self.model)

    @property
    def max_pools(self) -> dict[str, tuple[int, int]]:
        """Kernel and stride (pixels) of each max-pool, by the layer's name."""
        pools = {}
        for name, module in self.layers.items():
            if isinstance(module, SameMaxPool2d):
                pools[name] = (module.kernel, module.stride)
        return pools

    def regularized(self) -> set[str]:
        """Return the variables, by TensorFlow's names, whose L2 norm is part of the loss."""
        variable_of = {target.parameter: name for name, target in variable_targets(self.model).items()}
        return {variable_of[parameter] for parameter, _ in regularized(self.model)}

    def forward(self, batch: Batch, report: Report) -> None:
        """Run one forward and call `report` with each layer's output (NHWC) as it is computed, holding none of them."""

        def after(name: str, output: Tensor) -> None:
            asked(report, name, to_nhwc(output))

        # No backward follows, for which PyTorch would hold the outputs.
        with self._hooked(after), torch.no_grad():
            self._forward(batch)

    def backward(
        self, batch: Batch, report: ReportGradient, value: Callable[[str], np.ndarray | None] = lambda _name: None
    ) -> Losses:
        """Run one forward and backward, call `report` with each gradient, and return the losses.

        The gradients are the total loss's: that at each layer (NHWC) as it is computed, then that of each variable (by
        TensorFlow's name and in its layout). What `report` returns for a layer, if anything, the backward goes on from,
        and the forward from what `value` returns for it (NHWC).
        """

        def after(name: str, output: Tensor) -> Tensor | None:
            """Return the value (NCHW) to go on from, at which the gradient is reported."""
            replacement_nhwc = value(name)
            if replacement_nhwc is not None:
                replacement = to_nchw(replacement_nhwc, output.dtype)
                output = Given.apply(output, replacement)  # type: ignore[no-untyped-call]
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
        """Run one forward, and a backward from the gradient `given_nhwc` at `layer`, in float64.

        `values` is called with each layer's output (NHWC), and `gradients` as `report` is in `backward`.
        """
        start: dict[str, Tensor] = {}

        def after(name: str, output: Tensor) -> None:
            """Report the output, have its gradient reported, and keep it if the backward begins there."""
            asked(values, name, to_nhwc(output))
            report_gradient(gradients, name, output)
            if name == layer:
                start[name] = output

        with self._hooked(after):
            self.model(to_nchw(images_nhwc, torch.float64))
            # A port that never runs the layer raises KeyError: within the hooks, it becomes an error of the port's.
            start[layer].backward(to_nchw(given_nhwc, torch.float64))  # type: ignore[no-untyped-call]
        self._report_variables(gradients)

    def _report_variables(self, report: ReportGradient) -> None:
        """Call `report` with the gradient of each variable that has one, by TensorFlow's name and in its layout."""
        gradients = {}
        for name, parameter in self.model.named_parameters():
            if parameter.grad is not None:
                gradients[name] = parameter.grad
        for variable, gradient in self._by_variable(gradients).items():
            report(variable, gradient)

    @contextmanager
    def _hooked(self, after: Callable[[str, Tensor], Tensor | None]) -> Iterator[None]:
        """Call `after` with each layer's name and output while this lasts, and go on from what it returns, if anything.

        Raises CandidateError, with the name of the last layer that ran, for any error but one of a report.
        """
        running = ""

        def call(name: str, output: Tensor) -> Tensor | None:
            """Call `after`, and remember the layer in case of an error."""
            nonlocal running
            running = name
            return after(name, output)

        handles = []
        for name, module in self.layers.items():
            # The name is a default, so that each hook has its own, and not that of the loop's last layer.
            handles.append(module.register_forward_hook(lambda _module, _inputs, output, name=name: call(name, output)))
        try:
            with blamed_on_candidate(lambda: running):
                yield
        except CandidateError as error:
            if isinstance(error.__cause__, ReportError):
                raise error.__cause__.error from None
            raise
        finally:
            for handle in handles:
                handle.remove()

    def update(self, batches: Iterable[Batch], rate: float) -> dict[str, np.ndarray]:
        """Train whole steps, one for each batch, with the learning rate `rate`, and return all that they changed.

        That is all variables, and what the optimiser and the averages keep, by TensorFlow's names and in its layout.
        """
        model = self.model
        optimizer = RMSProp(model.parameters(), rate)
        averages = Averages(model)
        with blamed_on_candidate():
            for batch in batches:
                model.zero_grad()
                # Whole steps are in float64, where the official batch norm is not the fused one that the port copies.
                with unfused_statistics(model):
                    self._forward(batch).total.backward()  # type: ignore[no-untyped-call]
                clip_by_global_norm(model.parameters())
                optimizer.step()
                averages.update(model, batch.step)
        variables = self.variables()
        for slot, own_name in SLOTS.items():
            values = {name: optimizer.state[parameter][own_name] for name, parameter in model.named_parameters()}
            variables |= self._by_variable(values, f"/{slot}")
        return variables | self._by_variable(averages.values, f"/{AVERAGE}")

    def variables(self) -> dict[str, np.ndarray]:
        """Return all variables as they are, by TensorFlow's names and in its layout."""
        return self._by_variable(self.model.state_dict())

    def _by_variable(self, values: Mapping[str, Tensor], suffix: str = "") -> dict[str, np.ndarray]:
        """Return tensors by parameter's name as arrays by TensorFlow's, with a suffix, and in its layout."""
        tensors = views(values, variable_targets(self.model))
        return {f"{variable}{suffix}": tensor.numpy() for variable, tensor in tensors.items()}

    def _forward(self, batch: Batch) -> Losses:
        """Run one forward on the batch, with its draws, and return the losses."""
        self._share(batch.draws)
        dtype = next(self.model.parameters()).dtype
        outputs = self.model(to_nchw(batch.images_nhwc, dtype), batch.step)
        # The probabilities are a layer, too, which training does not run, since no loss depends on it.
        with torch.no_grad():
            self.model.final_layer.predict(outputs.logits)
        return training_loss(self.model, outputs, torch.from_numpy(batch.labels))

    @property
    def random_operations(self) -> Mapping[str, RandomOperation]:
        """The modules that draw in training, by name: drop path does not where everything is kept."""
        modules = self.model.named_modules()
        return {name: module for name, module in modules if isinstance(module, RandomOperation) and module.draws_any}

    def _share(self, draws: Mapping[str, np.ndarray]) -> None:
        """Give each random operation its draws; one that the official network lacks draws its own, which shows."""
        for name, module in self.random_operations.items():
            module.draws = torch.from_numpy(draws[name]) if name in draws else None
