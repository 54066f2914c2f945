"""A fault as a folder: the tensors, and a script that needs PyTorch and NumPy alone."""

from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np
import torch

from parity.diagnosis.reproduction.case import Case
from parity.diagnosis.verdict import Culprit
from pnasnet_torch.formats import write_whole

TENSORS, SCRIPT = "tensors.safetensors", "reproduce.py"
TEMPLATE = '''"""{title}

{words}

It needs PyTorch and NumPy alone, and ends with 1 where it shows the fault. Found with torch {version}.
Written by pnasnet-parity.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

DTYPES = {{"F64": np.float64, "F32": np.float32, "I64": np.int64, "I32": np.int32, "BOOL": np.bool_}}
# What is allowed: by name, of the figures that are printed.
ALLOWED = {allowed}


def load(path):
    """Return the tensors of a safetensors file, in front of which stand the length of their description, and that."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    tensors = {{}}
    for name, entry in json.loads(content[8:start]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(content[start + begin : start + end], DTYPES[entry["dtype"]])
            tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors


def layer({inputs}, constants):
    """Return what the candidate gives (N, C, H, W, or N, C): its operations, on what TensorFlow's operation takes."""
{program}
    return output


def figures(actual, expected):
    """Return how far the values are from TensorFlow's."""
    difference = np.abs(actual - expected)
    largest = float(difference.max())
    if "largest difference" in ALLOWED:
        return {{"largest difference": largest}}
    return {{
        "relative L2": float(np.linalg.norm(difference) / (np.linalg.norm(expected) or 1e-300)),
        "largest difference / largest value": largest / (float(np.abs(expected).max()) or 1e-300),
    }}


tensors = load(Path(__file__).with_name("{tensors}"))
constants = {{name[9:]: tensor for name, tensor in tensors.items() if name.startswith("constant ")}}
torch.set_num_threads(1)
with torch.no_grad():
    actual = layer({given}, constants).numpy()
expected = tensors["expected"].numpy()
print({title!r})
if actual.shape != expected.shape:
    print(f"shape: PyTorch {{actual.shape}}, TensorFlow {{expected.shape}}")
    sys.exit(1)
shows = False
for name, measured in figures(actual, expected).items():
    print(f"{{name}}: measured {{measured:.4g}}, allowed {{ALLOWED[name]:.4g}}")
    shows = shows or not measured <= ALLOWED[name]
worst = np.unravel_index(int(np.abs(actual - expected).argmax()), expected.shape)
place = [int(index) for index in worst]
print(f"worst element {{place}}: PyTorch {{float(actual[worst])!r}}, TensorFlow {{float(expected[worst])!r}}")
print("it shows the fault" if shows else "it does not show the fault here")
sys.exit(int(shows))
'''


def write(folder: Path, case: Case, expected: np.ndarray, culprit: Culprit) -> None:
    """Write the case, whose official output is `expected` (NHWC), into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {"expected": _nchw(expected)}
    for number, array in enumerate(case.inputs):
        tensors[f"input {number}"] = _nchw(array)
    for name, tensor in case.constants.items():
        tensors[f"constant {name}"] = np.ascontiguousarray(tensor.detach().numpy())
    write_whole(folder / TENSORS, tensors)
    inputs = [f"input{number}" for number in range(len(case.inputs))]
    shapes = ", ".join(str(tuple(tensors[f"input {number}"].shape)) for number in range(len(inputs)))
    words: dict[str, Any] = {
        "title": f"{culprit.layer}: PyTorch gives other values than TensorFlow's {_kind(case)} on {shapes}",
        # Within a docstring.
        "words": "\n".join(culprit.hints).replace("\\", "/").replace('"', "'") or "What it does instead is not known.",
        "version": torch.__version__,
        "allowed": {check.name: check.allowed for check in case.checks(expected, expected)},
        "inputs": ", ".join(inputs),
        "given": ", ".join(f'tensors["input {number}"]' for number in range(len(inputs))),
        "program": indent("\n".join(case.program.lines()), "    "),
        "tensors": TENSORS,
    }
    (folder / SCRIPT).write_text(TEMPLATE.format(**words), encoding="utf-8")


def _kind(case: Case) -> str:
    """Return what the official operation is called."""
    # In float64 TensorFlow's batch norm is not fused, and its last operation is a sum.
    return "batch norm" if any(name.endswith("/moving_mean") for name in case.variables) else case.kind


def _nchw(array: np.ndarray) -> np.ndarray:
    """Return an array (NHWC) in PyTorch's layout; other ranks keep their axes."""
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2) if array.ndim == 4 else array)
