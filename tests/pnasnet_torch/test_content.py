"""Files are known by their content: good ones under any name, others by what they are."""

import gzip
import io
import json
import pickle
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from pnasnet_torch.content import Kind, kind_of
from pnasnet_torch.errors import WeightsError


def torch_file(legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def zip_file(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return buffer.getvalue()


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(2))
    return buffer.getvalue()


GOOD = {
    "torch": (torch_file(), Kind.PYTORCH),
    "torch before 1.6": (torch_file(legacy=True), Kind.PYTORCH),
    "safetensors": (save({"a": np.zeros(2, np.float32)}), Kind.SAFETENSORS),
    "gzip": (gzip.compress(b"anything"), Kind.GZIP),
    "zip": (zip_file("model.h5"), Kind.ZIP),
    "state file": (b'model_checkpoint_path: "a.ckpt"', Kind.STATE),
}
FOREIGN = {
    "empty": (b"", "is empty"),
    "html": (b"\n<!DOCTYPE html><html>", "is an HTML page, as a server sends it.*download the file itself"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied", "an XML document"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "a Git LFS pointer.*git lfs pull"),
    "zeros": (bytes(5000), "begins with zeros alone"),
    "onnx": (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:", "an ONNX graph"),
    "saved model": (b"\x08\x01\x12\x80\x01\n\x10", "the graph of a SavedModel: .* give the SavedModel's own folder"),
    "graph": (b"\n\x1d\n\x05input\x12\x0bPlaceholder", "a TensorFlow graph, as in .pb and .meta"),
    "tflite": (b"\x1c\0\0\0TFL3", "a TensorFlow Lite model"),
    "json": (json.dumps({"weight_map": {}}).encode(), "a list of several files"),
    "pickle": (pickle.dumps({"a": 1}), "a Python pickle that torch.save did not write"),
    "cut zip": (torch_file()[:300], "begins as a zip file.*copy or download it again"),
    "torchscript": (
        zip_file("m/data.pkl", "m/constants.pkl"),
        r"a TorchScript archive.*torch\.jit\.load",
    ),
    "exported": (zip_file("model/archive_format"), r"exported by torch\.export"),
    "keras": (zip_file("metadata.json", "config.json", "model.weights.h5"), "a Keras model"),
    "npz": (npz(), r"NumPy arrays \(\.npz\)"),
    "npy": (b"\x93NUMPY\x01\0", "a NumPy array without a name"),
    "zstd": (b"\x28\xb5\x2f\xfd....", "zstd -d"),
    "a line break": (b"\nhello", "of no kind that is known"),
    "unknown": (b"\x01\x02\x03\x04\x05\x06\x07\x08", "of no kind that is known .its first bytes are 01 02 03"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_files_are_known_by_their_first_bytes(name: str) -> None:
    content, kind = GOOD[name]
    file = io.BytesIO(content)
    assert kind_of("download", file) is kind
    assert file.tell() == 0


def test_tables_are_known_by_their_last_bytes(make_table: Callable[..., bytes]) -> None:
    assert kind_of("download", io.BytesIO(make_table([(b"key", b"value")]))) is Kind.TABLE


@pytest.mark.parametrize("name", FOREIGN)
def test_what_weights_are_not_read_from_is_called_what_it_is(name: str) -> None:
    content, said = FOREIGN[name]
    with pytest.raises(WeightsError, match=rf"(?s)^download .*{said}"):
        kind_of("download", io.BytesIO(content))
