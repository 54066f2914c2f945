"""What is pinned stays so, whatever code of others does."""

from collections.abc import Callable, Iterator

import pytest
import torch

from parity.core.pinning import Pins, pin_torch

backends = torch.backends
CHANGES: dict[str, Callable[[], object]] = {
    "threads from 2 to 1": lambda: torch.set_num_threads(1),
    "deterministic_debug_mode from 2 to 0": lambda: torch.use_deterministic_algorithms(False),
    "default_dtype from torch.float32 to torch.float64": lambda: torch.set_default_dtype(torch.float64),
    "default_device from cpu to meta": lambda: torch.set_default_device("meta"),
    "cuda.matmul.allow_tf32 from False to True": lambda: setattr(backends.cuda.matmul, "allow_tf32", True),
    "cudnn.allow_tf32 from False to True": lambda: setattr(backends.cudnn, "allow_tf32", True),
    "mkldnn.enabled from True to False": lambda: setattr(backends.mkldnn, "enabled", False),
    "mkldnn.matmul.fp32_precision from ieee to bf16": lambda: torch.set_float32_matmul_precision("medium"),
    "cudnn.conv.fp32_precision from none to tf32": lambda: setattr(backends, "fp32_precision", "tf32"),
}


@pytest.fixture(autouse=True)
def pinned() -> Iterator[None]:
    """Pin two threads, and unpin what other tests do without."""
    threads = torch.get_num_threads()
    with Pins().held():
        pin_torch(2)
        yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("said", CHANGES)
def test_what_is_changed_is_put_back_and_told(said: str) -> None:
    if "fp32_precision" in said and not hasattr(backends.cuda.matmul, "fp32_precision"):
        pytest.skip("PyTorch has that from 2.9 on")
    pins = Pins()
    with pins.held():
        CHANGES[said]()
    assert said in pins.changed.values()
    after = Pins()
    with after.held():
        CHANGES[said]()
    assert after.changed == pins.changed


def test_it_is_put_back_where_something_is_raised() -> None:
    pins = Pins()

    def fails() -> None:
        torch.set_num_threads(1)
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"), pins.held():
        fails()
    assert torch.get_num_threads() == 2
    assert list(pins.changed) == ["threads"]


def test_what_is_left_alone_is_not_told() -> None:
    pins = Pins()
    with pins.held():
        torch.set_num_threads(2)
    assert pins.changed == {}
