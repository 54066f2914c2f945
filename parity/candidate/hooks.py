"""What looks at modules while they run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

Inputs = tuple[Tensor, ...]
# Called with a name and the inputs, or the output, of what has it.
Enters = Callable[[str, Inputs], None]
Leaves = Callable[[str, Any], None]


@contextmanager
def hooked(modules: Mapping[str, nn.Module], enters: Enters, leaves: Leaves) -> Iterator[None]:
    """Call `enters` with the name and the inputs of each module, and `leaves` with its output, while this lasts."""
    handles = []
    for name, module in modules.items():
        # The name is a default, so that each hook has its own, and not that of the loop's last layer.
        handles.append(module.register_forward_pre_hook(lambda _module, inputs, name=name: enters(name, inputs)))
        handles.append(module.register_forward_hook(lambda _module, _inputs, output, name=name: leaves(name, output)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
