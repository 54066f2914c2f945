"""The official network and the port, side by side: small configurations, the same variables and images."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch import Tensor, nn

from pnasnet_torch import Config, PNASNet
from pnasnet_torch.cell import Scope
from pnasnet_torch.operations import RandomOperation
from pnasnet_torch.weights import load_tf_variables
from tf_reference.compat import tensorflow
from tf_reference.graph import GraphSpec, ReferenceGraph, reference_graph
from tf_reference.official import Source, find
from tf_reference.run import OfficialRun

# A first call into a framework takes longer than hypothesis allows one example.
settings.register_profile("frameworks", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("frameworks")

OFFICIAL_FIELDS = set(Config.__dataclass_fields__) - {"num_classes", "aux_image_size"}
NO_LAYERS = (nn.Flatten, RandomOperation)
Layers = dict[str, np.ndarray]


@dataclass(frozen=True)
class Sides:
    """What both networks gave for the same input: each layer's output by name, NHWC, and the graph that TF ran."""

    graph: ReferenceGraph
    model: PNASNet
    official: Layers
    port: Layers


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Maps of a few pixels are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tf() -> Any:
    return tensorflow()


@pytest.fixture(scope="session")
def source() -> Source:
    return find()


@pytest.fixture(scope="session")
def build_official(source: Source) -> Callable[..., ReferenceGraph]:
    """The official float64 graph of a port's configuration at a size (height, width)."""

    def build(config: Config, size: tuple[int, int], training: bool = False, dtype: str = "float64") -> ReferenceGraph:
        values = {name: value for name, value in asdict(config).items() if name in OFFICIAL_FIELDS}
        values["use_aux_head"] = config.aux_image_size is not None
        hparams = tuple(
            (name, float(value) if isinstance(value, float) else int(value)) for name, value in values.items()
        )
        return reference_graph(source, GraphSpec("large", *size, dtype, training, config.num_classes, hparams))

    return build


@pytest.fixture(scope="session")
def run_both(build_official: Callable[..., ReferenceGraph]) -> Callable[..., Sides]:
    """Runs both networks on two random images with the same random variables."""

    def run(config: Config, size: tuple[int, int], training: bool = False, dtype: str = "float64") -> Sides:
        if training:
            config = replace(config, drop_path_keep_prob=1.0, dense_dropout_keep_prob=1.0)
        graph = build_official(config, size, training, dtype)
        variables, images = random_variables(graph), np.random.default_rng(1).uniform(-1, 1, (2, *size, 3))
        with OfficialRun(graph, threads=1) as reference:
            reference.assign(variables)
            official = reference.run(images)
        model = PNASNet(config).to(getattr(torch, dtype)).train(training)
        load_tf_variables(model, variables)
        images_nchw = torch.from_numpy(images.astype(dtype).transpose(0, 3, 1, 2))
        return Sides(graph, model, official, port_layers(model, images_nchw))

    return run


def random_variables(graph: ReferenceGraph) -> dict[str, np.ndarray]:
    """Variables of a natural scale; every batch norm shifts, scales and has statistics of its own."""
    rng = np.random.default_rng(0)
    values = {}
    for name, variable in graph.variables.items():
        match name.rpartition("/")[2]:
            case "gamma" | "moving_variance":
                values[name] = rng.uniform(0.6, 1.6, variable.shape)
            case "beta" | "moving_mean" | "biases":
                values[name] = rng.normal(0.1, 0.3, variable.shape)
            case _:
                fan_in = np.prod(variable.shape[:2] if name.endswith("depthwise_weights") else variable.shape[:-1])
                values[name] = rng.normal(0, np.sqrt(2 / fan_in), variable.shape)
    return values


def port_layers(model: PNASNet, images: Tensor) -> Layers:
    """The output of every leaf that stands for an operation, `predictions` included."""
    layers: Layers = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda module, inputs, output: layers.__setitem__(name, to_nhwc(output))

    for name, module in model.named_modules():
        if not list(module.children()) and not isinstance(module, (*NO_LAYERS, Scope)):
            module.register_forward_hook(keep(name))
    with torch.no_grad():
        outputs = model(images)
        if model.config.num_classes:
            model.final_layer.get_submodule("predictions")(outputs if isinstance(outputs, Tensor) else outputs.logits)
    return layers


def to_nhwc(output: Tensor) -> np.ndarray:
    array: np.ndarray = output.detach().clone().numpy()
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


@pytest.fixture(scope="session")
def assert_agree() -> Callable[[Sides, float], None]:
    """Both have the same layers, of the same shapes, with values closer than `allowed` (relative L2)."""

    def check(sides: Sides, allowed: float) -> None:
        assert sorted(sides.port) == sorted(sides.official)
        shapes = {name: array.shape for name, array in sides.port.items()}
        assert shapes == {name: array.shape for name, array in sides.official.items()}
        far = {
            name: error for name in shapes if not (error := distance(sides.port[name], sides.official[name])) <= allowed
        }
        assert far == {}
        zeros = [name for name, array in sides.official.items() if not array.any()]
        assert len(zeros) < 0.1 * len(shapes), "a network of zeros proves nothing"

    return check


def distance(actual: np.ndarray, expected: np.ndarray) -> float:
    """Relative L2; where zeros are expected (as the second path of a reduction of one row gives), absolute."""
    return float(np.linalg.norm(actual - expected) / (np.linalg.norm(expected) or 1.0))
