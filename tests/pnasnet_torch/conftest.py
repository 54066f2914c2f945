"""Small networks with random state, for tests that need no TensorFlow."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

from pnasnet_torch import Config, PNASNet

# A first call into torch takes longer than hypothesis allows one example.
settings.register_profile("torch", deadline=None, derandomize=True)
settings.load_profile("torch")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Maps of a few pixels are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """The same random numbers in every test, whichever tests run before it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def small() -> Config:
    """Five cells of few channels, at least 19 pixels wide; as all variants, with reductions of even and odd maps."""
    return Config(num_cells=3, num_conv_filters=8, stem_multiplier=0.25, num_classes=7)


@pytest.fixture
def small_model(small: Config) -> PNASNet:
    """In evaluation mode; parameters and batch statistics are random and all of them matter."""
    return randomised(PNASNet(small)).eval()


def randomised(model: PNASNet) -> PNASNet:
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif tensor.ndim == 1:
                tensor.normal_(0.5, 0.5)
    return model


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64) * 2 - 1
