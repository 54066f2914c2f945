"""PNASNet-5: the stem, the cells and the heads. Module paths repeat the official variable scopes."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from pnasnet_torch.cell import Branch, Cell, Scope, activation
from pnasnet_torch.genotype import (
    Config,
    Features,
    aux_cell,
    map_side,
    minimum_size,
    plan_cells,
    reduction_cells,
    stem_filters,
    variant,
)
from pnasnet_torch.operations import BatchNorm, Dropout, GlobalMean, SameConv2d

# The auxiliary head's filters and its average pool: `_build_aux_head` of research/slim/nets/nasnet/nasnet.py, the same
# for both networks.
AUX_PROJECTION, AUX_FILTERS = 128, 768
AUX_POOL, AUX_STRIDE = 5, 3


class TrainingOutputs(NamedTuple):
    """The two logits (N, classes) that a network with an auxiliary head gives in training."""

    logits: Tensor
    aux_logits: Tensor


class PNASNet(nn.Module):
    """PNASNet-5 for images (N, 3, H, W) with values from -1 to 1, RGB; logits (N, classes), class 0 the background.

    In evaluation mode the auxiliary head does not run. Source: research/slim/nets/nasnet/pnasnet.py.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.cell_plans = plan_cells(config)
        # The official stem gives this convolution padding VALID, and the cells theirs padding SAME.
        self.conv0 = nn.Conv2d(3, stem_filters(config), 3, stride=2, bias=False)
        self.conv0_bn = BatchNorm(stem_filters(config))
        for plan, _ in self.cell_plans:
            self.add_module(plan.scope, Cell(plan, config))
        self.aux_scope = ""
        if config.aux_image_size is not None and config.num_classes:
            self.aux_scope = self._add_aux_head(config.aux_image_size)
        self.final_layer = FinalLayer(config, self.cell_plans[-1][0].out.channels)

    def _add_aux_head(self, image_size: tuple[int, int]) -> str:
        """Add the auxiliary head for images (height, width), and return its scope. Raise ValueError if it has no place.

        The activation before the head is added to the network: the official code puts it outside of all scopes.
        """
        config = self.config
        number = aux_cell(config)
        if number is None:
            raise ValueError(f"no place for an auxiliary head: reductions in cells {reduction_cells(config)}")
        map_size = self.aux_map(image_size)
        if min(map_size) < 1:
            raise ValueError(f"images of {image_size[0]}x{image_size[1]} pixels are too small for the auxiliary head")
        relu_name = "relu6" if config.use_bounded_activation else "relu"
        self.add_module(relu_name, activation(config.use_bounded_activation))
        head = _aux_logits(self._aux_input().channels, map_size, config)
        self.add_module(f"aux_{number}", nn.ModuleDict({"aux_logits": head}))
        return f"aux_{number}"

    def _aux_input(self) -> Features:
        """Return the features of the cell behind which the auxiliary head sits."""
        features = {plan.scope: plan.out for plan, _ in self.cell_plans}
        return features[f"cell_{aux_cell(self.config)}"]

    def aux_map(self, image_size: Sequence[int]) -> tuple[int, int]:
        """Return the map (height, width) that the auxiliary head's last convolution covers, for images of this size."""
        halvings = self._aux_input().halvings
        height = map_side(image_size[0], halvings)
        width = map_side(image_size[1], halvings)
        # The average pool before that convolution has padding VALID.
        rows = (height - AUX_POOL) // AUX_STRIDE + 1
        columns = (width - AUX_POOL) // AUX_STRIDE + 1
        return rows, columns

    def forward(self, images: Tensor, step: int | Tensor | None = None) -> Tensor | TrainingOutputs:
        """Return logits (N, classes), or pooled features (N, channels) where `num_classes` is 0.

        In training, with an auxiliary head, return TrainingOutputs. `step` is the training step for the drop-path
        schedule; None means its end. Raise ValueError for images of another form or too small for the network.
        """
        self._check(images)
        outputs = [self.conv0_bn(self.conv0(images))]
        aux_logits = None
        for plan, prev in self.cell_plans:
            cell = getattr(self, plan.scope)
            net = outputs[-1]
            # The first cell has no previous one, and reads the first convolution's output twice.
            prev_output = net if prev is None else outputs[prev]
            outputs.append(cell(net, prev_output, step))
            if self.training and self.aux_scope and plan.scope == f"cell_{aux_cell(self.config)}":
                aux_logits = self._aux_logits(outputs[-1])
        logits = self.final_layer(outputs[-1])
        if aux_logits is None:
            return logits
        return TrainingOutputs(logits, aux_logits)

    def predict(self, images: Tensor) -> Tensor:
        """Return probabilities (N, classes), the softmax of the logits, in evaluation mode.

        Raise ValueError for a network without classes, or one in training mode with an auxiliary head.
        """
        if not self.config.num_classes:
            raise ValueError("a network without classes (num_classes 0) predicts nothing: it gives features")
        logits = self(images)
        if isinstance(logits, TrainingOutputs):
            raise ValueError("predict is for evaluation mode: call eval() first")
        return self.final_layer.predict(logits)

    def _aux_logits(self, net: Tensor) -> Tensor:
        """Return the auxiliary logits (N, classes) from the output (N, C, H, W) of the cell before the head."""
        relu = getattr(self, "relu6" if self.config.use_bounded_activation else "relu")
        return getattr(self, self.aux_scope)["aux_logits"](relu(net))

    def _check(self, images: Tensor) -> None:
        """Raise ValueError unless the images have the form and the size that the network, or its head, needs."""
        height, width = minimum_size(self.config)
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"expected images (N, 3, H, W), found {tuple(images.shape)}")
        if images.shape[2] < height or images.shape[3] < width:
            size = f"{images.shape[2]}x{images.shape[3]}"
            raise ValueError(f"images of {size} pixels are too small: this network needs at least {height}x{width}")
        expected = self.config.aux_image_size
        # Several image sizes have the same map there, and the head's last convolution fits all of them.
        if self.training and expected is not None and self.aux_map(images.shape[2:]) != self.aux_map(expected):
            size = f"{images.shape[2]}x{images.shape[3]}"
            raise ValueError(f"the auxiliary head is for images of {expected[0]}x{expected[1]} pixels, found {size}")


class FinalLayer(Scope):
    """`final_layer`: activation, mean over the map, dropout, classes; `predict` is the softmax of its output."""

    def __init__(self, config: Config, channels: int) -> None:
        super().__init__()
        self.add_activation(config.use_bounded_activation)
        self.add("mean", GlobalMean())
        if config.num_classes:
            self.add("dropout", Dropout(config.dense_dropout_keep_prob))
            self.add("FC", nn.Linear(channels, config.num_classes))
        # The softmax is no part of the path: training needs the logits.
        self.path = tuple(self._modules)
        if config.num_classes:
            self.add("predictions", nn.Softmax(dim=1))

    def forward(self, net: Tensor) -> Tensor:
        """Return logits (N, classes) from the last map (N, C, H, W); its means (N, C) where there are no classes."""
        return self.run(self.path, net)

    def predict(self, logits: Tensor) -> Tensor:
        """Return the probabilities (N, classes) of logits (N, classes)."""
        return self.run(("predictions",), logits)


def _aux_logits(channels: int, map_size: tuple[int, int], config: Config) -> Branch:
    """Return the auxiliary head for a cell's output of `channels`, pooled to a map of `map_size` (height, width)."""
    head = Branch()
    head.add("avg_pool", nn.AvgPool2d(AUX_POOL, AUX_STRIDE))
    head.add_conv("proj", "aux_bn0", SameConv2d(channels, AUX_PROJECTION, 1), AUX_PROJECTION)
    head.add_activation(config.use_bounded_activation)
    # As large as its input: what remains is one pixel.
    head.add("Conv", nn.Conv2d(AUX_PROJECTION, AUX_FILTERS, map_size, bias=False))
    head.add("aux_bn1", BatchNorm(AUX_FILTERS))
    head.add_activation(config.use_bounded_activation)
    head.add("flatten", nn.Flatten())
    head.add("FC", nn.Linear(AUX_FILTERS, config.num_classes))
    return head


def pnasnet_large() -> PNASNet:
    """Return PNASNet-5 Large as released: 331x331 pixels, 1001 classes, no auxiliary head; weights are random."""
    return PNASNet(variant("large").config)


def pnasnet_mobile() -> PNASNet:
    """Return PNASNet-5 Mobile as released: 224x224 pixels, 1001 classes, no auxiliary head; weights are random."""
    return PNASNet(variant("mobile").config)
