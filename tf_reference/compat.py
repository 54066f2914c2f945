"""The TensorFlow 1 names that the official source needs, on current TensorFlow and tf-slim.

The official code is TF1 code. Its history has three ways to reach slim: `tf.contrib.slim` as an attribute,
`from tensorflow.contrib import slim as contrib_slim`, and `tensorflow.compat.v1` with `tf_slim`. While it is imported,
and only then, the names `tensorflow` and `tf_slim` mean modules in which all three work.
"""

import gc
import importlib.util
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import RLock
from types import ModuleType
from typing import Any

from tf_reference.errors import InputError

# What to do where something of TensorFlow is missing, or does not fit the rest.
INSTALL = "python -m pip install 'pnasnet-parity[parity]' brings what fits together"
# What TensorFlow's C++ code writes before its log level can be set: lines with one of these.
START_UP_NOISE = (b"absl::InitializeLog", b"cudart_stub", b"cuda_", b"cpu_feature_guard", b"AVX", b"oneDNN custom")

# Held while modules or settings are changed for all threads of the process: one at a time.
_CHANGED = RLock()


@contextmanager
def _without(noise: tuple[bytes, ...]) -> Iterator[None]:
    """Keep lines with any of `noise` off the process's standard error; all others appear when the block ends."""
    # C++ writes to the file descriptor, past sys.stderr.
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as buffer:
        os.dup2(buffer.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            buffer.seek(0)
            for line in buffer:
                if not any(part in line for part in noise):
                    os.write(2, line)


@cache
def tensorflow() -> ModuleType:
    """Return TensorFlow, imported once, with bit-stable kernels and threads, and without its start-up noise.

    oneDNN's kernels depend on the CPU, TensorFlow's own do not: they are chosen before the import, which is the last
    moment at which they can be. Raise RuntimeError if that was missed, and
    InputError where it cannot be imported.
    """
    if "tensorflow" in sys.modules and os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0":
        raise RuntimeError("TensorFlow was imported before TF_ENABLE_ONEDNN_OPTS=0 was set: set it in the environment")
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    # Each session computes on as many threads as it asks for, and not as the first one did: the bits depend on that.
    os.environ["TF_OVERRIDE_GLOBAL_THREADPOOL"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # No GPU, unless the run has chosen one.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    # PyTorch's builds for GPUs import triton sooner or later, and behind TensorFlow that import crashes the process.
    if importlib.util.find_spec("triton"):
        importlib.import_module("triton")
    try:
        with _without(START_UP_NOISE):
            tf = importlib.import_module("tensorflow")
        layers = importlib.import_module("tensorflow.python.layers.normalization")
        normalization = importlib.import_module("tf_keras.src.legacy_tf_layers.normalization")
    except Exception as error:  # whatever packages that do not fit each other raise
        raise InputError(f"TensorFlow cannot be imported ({type(error).__name__}: {error}): {INSTALL}") from error
    tf.get_logger().setLevel(logging.ERROR)
    # TensorFloat-32 rounds the factors of a product to 10 bits, on GPUs that have it.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    # tf-slim's batch_norm asks for tf_keras.legacy_tf_layers, which no release of tf_keras has under that name.
    setattr(layers, "normalization", normalization)  # noqa: B010
    # Half a million objects that stay to the end: the garbage collector need not look through them again and again.
    gc.freeze()
    return tf


class HParams:
    """The part of tf.contrib.training.HParams that the official configurations use: named values that can be set."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def set_hparam(self, name: str, value: Any) -> None:
        """Set the value `name`. Raise KeyError if there is none."""
        if name not in self.__dict__:
            raise KeyError(
                f"the official configuration has no hyper-parameter {name!r}: it has {sorted(self.values())}"
            )
        setattr(self, name, value)

    def values(self) -> dict[str, Any]:
        """Return all values by name."""
        return dict(self.__dict__)


def _module(name: str, base: ModuleType | None = None, **attributes: Any) -> ModuleType:
    """Return a module with `attributes`, and whatever else is asked of it taken from `base`."""
    module = ModuleType(name)
    module.__dict__.update(attributes)
    if base is not None:
        # What has a path is a package to Python, and modules can be imported from it.
        module.__dict__["__path__"] = list(getattr(base, "__path__", []))
        module.__dict__["__getattr__"] = lambda attribute: getattr(base, attribute)
    return module


@cache
def _tf1_modules() -> dict[str, ModuleType]:
    """Return what stands for each module of TensorFlow 1, with slim in contrib, by the module's name."""
    tf = tensorflow()
    slim = importlib.import_module("tf_slim")
    training = _module("training", slim.training, HParams=HParams)
    slim = _module("tf_slim", slim, training=training)
    contrib = _module("tensorflow.contrib", slim=slim, framework=slim, layers=slim, training=training)
    # The newest revision switches TF2 behaviour off for the whole process at import; explicit graphs need no switch.
    v1 = _module("tensorflow", tf.compat.v1, contrib=contrib, disable_v2_behavior=lambda: None)
    v1.__dict__["compat"] = _module("tensorflow.compat", tf.compat, v1=v1)
    modules = {
        "tensorflow": v1,
        "tensorflow.compat": v1.compat,
        "tensorflow.compat.v1": v1,
        "tensorflow.contrib": contrib,
        "tf_slim": slim,
    }
    for name in ("slim", "framework", "layers", "training"):
        modules[f"tensorflow.contrib.{name}"] = getattr(contrib, name)
    return modules


@contextmanager
def official_names(root: str, packages: tuple[str, ...]) -> Iterator[None]:
    """Import `packages` from `root` (a folder or a zip) while this lasts, and let them find TensorFlow 1.

    Afterwards nothing of this is left importable, and a user's own modules of the same names are back in place.
    """
    with _CHANGED:
        shims = _tf1_modules()
        before = {}
        for name in list(sys.modules):
            if name in shims or name.split(".")[0] in packages:
                before[name] = sys.modules.pop(name)
        sys.modules.update(shims)
        sys.path.insert(0, root)
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path.remove(root)
            for name in list(sys.modules):
                if name in shims or name.split(".")[0] in packages:
                    del sys.modules[name]
            sys.modules.update(before)


@contextmanager
def building() -> Iterator[None]:
    """Let TF1 code build a graph while this lasts: without its deprecations, and in TF1's time.

    For each weight, Keras collects the graph's variables into a set. Where tensors are compared by value, as in TF2,
    every variable looks through all contexts before it says that a graph's variables are compared by identity all the
    same; that was three fifths of the time that building took.
    """
    with _CHANGED:
        tf = tensorflow()
        by_value = tf.Tensor._USE_EQUALITY  # no public name tells it
        tf.compat.v1.disable_tensor_equality()
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="`layer.apply` is deprecated", category=UserWarning)
                warnings.filterwarnings("ignore", message="`tf.layers", category=UserWarning)
                yield
        finally:
            if by_value:
                tf.compat.v1.enable_tensor_equality()
