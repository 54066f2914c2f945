"""What has to be done before any test."""

import importlib
import importlib.util

# PyTorch built for GPUs brings triton, which its compiler imports. Behind TensorFlow that import crashes the process.
if importlib.util.find_spec("triton"):
    importlib.import_module("triton")
