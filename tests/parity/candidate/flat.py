"""PNASNet-5 in other styles: flat lists of modules, or of parameters, and functions for all else."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnasnet_torch.genotype import PNASNET_5, CellPlan, Operand
from pnasnet_torch.model import PNASNet
from pnasnet_torch.padding import pad_same


class Functional(nn.Module):
    """The port's network, as a stranger could have written it: what has weights is the next of its kind."""

    def __init__(self, port: PNASNet) -> None:
        super().__init__()
        self._plans = port.cell_plans
        self._conv = self._norm = 0

    def conv(self, x: Tensor) -> Tensor:
        """Run the next convolution."""
        raise NotImplementedError

    def norm(self, x: Tensor) -> Tensor:
        """Run the next batch norm."""
        raise NotImplementedError

    def features(self, images: Tensor) -> Tensor:
        """Return what the classes are told by (N, C), of images (N, 3, H, W)."""
        self._conv = self._norm = 0
        outputs = [self.conv_norm(images)]
        for plan, prev in self._plans:
            outputs.append(self.cell(plan, outputs[-1], outputs[-1] if prev is None else outputs[prev]))
        return torch.relu(outputs[-1]).mean((2, 3))

    def conv_norm(self, x: Tensor) -> Tensor:
        """Run the next convolution, and the next batch norm."""
        return self.norm(self.conv(x))

    def cell(self, plan: CellPlan, net: Tensor, prev: Tensor) -> Tensor:
        """Return the output of a cell."""
        if plan.reduces_prev:
            halves = [self.conv(half) for half in self.halves(F.relu(prev))]
            prev = self.norm(torch.cat(halves, 1))
        elif plan.prev is not None and plan.prev.channels != plan.filters:
            prev = self.conv_norm(F.relu(prev))
        states = [self.conv_norm(F.relu(net)), prev]
        for left, right in PNASNET_5.combinations:
            first = self.operation(left, plan, states[left.state])
            states.append(self.add(first, self.operation(right, plan, states[right.state])))
        return torch.cat([states[index] for index in PNASNET_5.outputs], 1)

    def halves(self, x: Tensor) -> list[Tensor]:
        """Return every second pixel of every second row, and so those beside them."""
        # The official code shifts the map by one before it takes every second of them.
        beside = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return [F.avg_pool2d(part, 1, 2) for part in (x, beside)]

    def add(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the sum of two maps."""
        return left + right

    def operation(self, operand: Operand, plan: CellPlan, x: Tensor) -> Tensor:
        """Return what an operation makes of a state."""
        stride = plan.stride if operand.state < 2 else 1
        if operand.operation == "separable":
            for _ in range(2):
                x = self.norm(self.conv(self.conv(F.relu(x))))
            return x
        changes = x.shape[1] != plan.filters
        if operand.operation == "max_pool":
            padded, padding = pad_same(x, operand.kernel, stride, value=-torch.inf)
            x = F.max_pool2d(padded, operand.kernel, stride, padding)
            return self.conv_norm(x) if changes else x
        return self.conv_norm(F.relu(x)) if changes or stride > 1 else x


def convolutions(port: PNASNet) -> list[nn.Conv2d]:
    """Return the port's convolutions in their order, which is also that in which they run."""
    return [module for module in port.modules() if isinstance(module, nn.Conv2d)]


def batch_norms(port: PNASNet) -> list[nn.BatchNorm2d]:
    """Return the port's batch norms in their order."""
    return [module for module in port.modules() if isinstance(module, nn.BatchNorm2d)]


class Flat(Functional):
    """Lists of modules; functions run the depthwise ones. It ends at the logits."""

    def __init__(self, port: PNASNet) -> None:
        super().__init__(port)
        self.convs = nn.ModuleList(convolutions(port))
        self.norms = nn.ModuleList(batch_norms(port))
        self.classes = port.get_submodule("final_layer.FC")

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, classes) of images (N, 3, H, W)."""
        logits: Tensor = self.classes(self.features(images))
        return logits

    def conv(self, x: Tensor) -> Tensor:
        """Run the next convolution: a depthwise one by a function."""
        conv = self.convs[self._conv]
        assert isinstance(conv, nn.Conv2d)
        self._conv += 1
        if conv.groups == 1:
            output: Tensor = conv(x)
            return output
        x, padding = pad_same(x, conv.kernel_size[0], conv.stride[0])
        return F.conv2d(x, conv.weight, None, conv.stride, padding, groups=conv.groups)

    def norm(self, x: Tensor) -> Tensor:
        """Run the next batch norm."""
        self._norm += 1
        output: Tensor = self.norms[self._norm - 1](x)
        return output


class Bare(Functional):
    """Numbered parameters, and functions that take them: no module. It returns a dictionary."""

    def __init__(self, port: PNASNet) -> None:
        super().__init__(port)
        convs = convolutions(port)
        self.kernels = nn.ParameterList(conv.weight for conv in convs)
        # The first one pads nothing.
        self._places = [(conv.stride[0], conv.groups, number > 0) for number, conv in enumerate(convs)]
        self.norms = nn.ParameterList()
        for norm in batch_norms(port):
            for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                assert values is not None
                self.norms.append(nn.Parameter(values.detach(), requires_grad=False))
        state = port.state_dict()
        self.dense = nn.Parameter(state["final_layer.FC.weight"])
        self.offset = nn.Parameter(state["final_layer.FC.bias"])
        self.eps = 1e-3

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the logits and the probabilities (N, classes) of images (N, 3, H, W)."""
        logits = self.features(images) @ self.dense.t() + self.offset
        return {"logits": logits, "probabilities": logits.softmax(1)}

    def conv(self, x: Tensor) -> Tensor:
        """Run the next convolution."""
        kernel = self.kernels[self._conv]
        stride, groups, pads = self._places[self._conv]
        self._conv += 1
        padding = (0, 0)
        if pads:
            x, padding = pad_same(x, kernel.shape[-1], stride)
        return F.conv2d(x, kernel, None, stride, padding, groups=groups)

    def norm(self, x: Tensor) -> Tensor:
        """Run the next batch norm."""
        gamma, beta, mean, variance = list(self.norms)[4 * self._norm : 4 * self._norm + 4]
        self._norm += 1
        return F.batch_norm(x, mean, variance, gamma, beta, eps=self.eps)


class WrittenNorm(nn.Module):
    """A batch norm that is written out: as in its formula, or with a scale and a shift."""

    def __init__(self, norm: nn.BatchNorm2d, as_formula: bool) -> None:
        super().__init__()
        self.as_formula = as_formula
        self.eps = norm.eps
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self.gamma, self.beta = norm.weight, norm.bias
        self.moving_mean = nn.Buffer(norm.running_mean)
        self.moving_variance = nn.Buffer(norm.running_var)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized map (N, C, H, W)."""
        values = (self.gamma, self.beta, self.moving_mean, self.moving_variance)
        gamma, beta, mean, variance = (value.view(1, -1, 1, 1) for value in values)
        if self.as_formula:
            return gamma * (x - mean) / torch.sqrt(variance + self.eps) + beta
        scale = gamma * (variance + self.eps).rsqrt()
        return x * scale + (beta - mean * scale)


class Written(Flat):
    """Batch norms that are written out, by turns as the formula and as a scale and a shift; sums of lists; slices."""

    def __init__(self, port: PNASNet) -> None:
        super().__init__(port)
        written = [WrittenNorm(norm, as_formula=number % 2 == 0) for number, norm in enumerate(batch_norms(port))]
        self.norms = nn.ModuleList(written)

    def halves(self, x: Tensor) -> list[Tensor]:
        """Return both by slices, the second of which is padded only where it is smaller."""
        first, second = x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]
        rows, columns = first.shape[2] - second.shape[2], first.shape[3] - second.shape[3]
        if rows or columns:
            second = F.pad(second, (0, columns, 0, rows))
        return [first, second]

    def add(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the sum of two maps, as of a list."""
        return torch.stack([left, right]).sum(0)
