"""Small networks with random state, for tests that need no TensorFlow."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from pnasnet_torch import Config, PNASNet, variant
from pnasnet_torch.checkpoint.damage import crc32c, masked
from pnasnet_torch.checkpoint.table import MAGIC
from pnasnet_torch.targets import variable_shapes

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
    return randomised(PNASNet(small))


@pytest.fixture
def other(small: Config) -> PNASNet:
    """The same network as `small_model` with other values."""
    return PNASNet(small).eval()


def randomised(model: PNASNet) -> PNASNet:
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif tensor.ndim == 1:
                tensor.normal_(0.5, 0.5)
    return model.eval()


@pytest.fixture
def randomise() -> Callable[[PNASNet], PNASNet]:
    """Gives a model such parameters and statistics."""
    return randomised


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64) * 2 - 1


@pytest.fixture(scope="session")
def mobile() -> dict[str, np.ndarray]:
    """Random TensorFlow variables of Mobile, 1001 classes."""
    with torch.device("meta"):
        shapes = variable_shapes(PNASNet(variant("mobile").config))
    rng = np.random.default_rng(0)
    return {
        name: rng.uniform(0.5, 1.5, shape).astype(np.float32)
        if name.endswith(("gamma", "variance"))
        else (rng.standard_normal(shape) / np.sqrt(max(1, math.prod(shape[:-1])))).astype(np.float32)
        for name, shape in shapes.items()
    }


@pytest.fixture(scope="session")
def make_table() -> Callable[..., bytes]:
    """A table file of one block of these keys and values; `kind` is how it says to be compressed."""
    return table


@pytest.fixture(scope="session")
def write_v2() -> Callable[[Path, Mapping[str, np.ndarray]], None]:
    """Writes float32 variables as a TensorFlow checkpoint, V2, in one block of the index."""
    return write_checkpoint


def write_checkpoint(prefix: Path, variables: Mapping[str, np.ndarray]) -> None:
    contents, entries = [], [(b"", number(1, 1))]
    start = 0
    for name, array in sorted(variables.items()):
        content = array.tobytes()
        shape = b"".join(part(2, number(1, side)) for side in array.shape)
        entry = number(1, 1) + part(2, shape) + number(4, start) + number(5, len(content))
        entries.append((name.encode(), entry + b"\x35" + masked(crc32c(content)).to_bytes(4, "little")))
        contents.append(content)
        start += len(content)
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(b"".join(contents))
    prefix.with_name(f"{prefix.name}.index").write_bytes(table(entries))


def table(entries: Iterable[tuple[bytes, bytes]], kind: int = 0) -> bytes:
    content, handles = b"", []
    for rows in (entries, []):
        found = block(rows)
        handles.append(varint(len(content)) + varint(len(found)))
        content += sealed(found, kind)
    found = block([(b"\xff", handles[0])])
    footer = handles[1] + varint(len(content)) + varint(len(found))
    return content + sealed(found, 0) + footer.ljust(40, b"\0") + MAGIC.to_bytes(8, "little")


def block(rows: Iterable[tuple[bytes, bytes]]) -> bytes:
    entries = [varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in rows]
    return b"".join(entries) + bytes(4) + (1).to_bytes(4, "little")


def sealed(found: bytes, kind: int) -> bytes:
    return found + bytes([kind]) + masked(crc32c(found, bytes([kind]))).to_bytes(4, "little")


def varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80]) + varint(value >> 7) if value > 0x7F else bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def part(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value
