"""What a file is, told by its content: a name and its suffix only say what somebody called it."""

import re
import zipfile
from enum import Enum
from io import SEEK_END
from typing import BinaryIO

from pnasnet_torch.checkpoint.table import MAGIC
from pnasnet_torch.errors import WeightsError

# Bytes at a file's beginning that are looked at.
HEAD = 4096
# Bytes, by the format's definition.
LONGEST_HEADER = 100_000_000


class Kind(Enum):
    """The kinds of files that weights are read from."""

    HDF5 = "HDF5"
    SAFETENSORS = "safetensors"
    PYTORCH = "PyTorch"
    TABLE = "TensorFlow table"
    STATE = "TensorFlow state file"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    TAR = "tar"
    ZIP = "zip"


# An offset, and the bytes that stand there.
Signature = tuple[int, bytes]
SIGNATURES: dict[Signature, Kind] = {
    (0, b"\x89HDF\r\n\x1a\n"): Kind.HDF5,
    (0, b"\x1f\x8b"): Kind.GZIP,
    (0, b"BZh"): Kind.BZIP2,
    (0, b"\xfd7zXZ\0"): Kind.XZ,
    (257, b"ustar"): Kind.TAR,
    # Before PyTorch 1.6: a pickle of a number that PyTorch chose, before the one of the tensors.
    (0, b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."): Kind.PYTORCH,
    (0, b"model_checkpoint_path:"): Kind.STATE,
}
# What stands in the place of a file of any kind: what it is, and what helps, by a pattern at its beginning.
STAND_INS: dict[re.Pattern[bytes], str] = {
    re.compile(rb"version https://git-lfs\.github\.com"): (
        "a Git LFS pointer to a file that is not here yet: git lfs pull gets it"
    ),
    re.compile(
        rb"\s*<\?xml"
    ): "an XML document, as a server sends it in the place of a file: it says why there is none",
    re.compile(rb"\s*<(!doctype html|html|head|body)", re.IGNORECASE): (
        "an HTML page, as a server sends it in the place of a file, to log in or to tell an error: download the file "
        "itself"
    ),
}
# The same, of what weights are not read from.
FOREIGN: dict[re.Pattern[bytes], str] = {
    re.compile(rb"\x28\xb5\x2f\xfd"): "a file compressed with zstd: unpack it first, with zstd -d",
    re.compile(rb"7z\xbc\xaf\x27\x1c"): "a 7z archive: unpack it first",
    re.compile(rb"Rar!"): "a RAR archive: unpack it first",
    re.compile(rb".{4}TFL3", re.DOTALL): (
        "a TensorFlow Lite model, made for phones: give the checkpoint that it was made from"
    ),
    re.compile(
        rb"\x93NUMPY"
    ): "a NumPy array without a name: weights are arrays by name, such as in .h5 or .safetensors",
    # Fields of a ModelProto: the version, then who made it, as text.
    re.compile(rb"\x08[\x01-\x20]\x12.[ -~]{3}", re.DOTALL): (
        "an ONNX graph: give the weights that it was exported from"
    ),
    re.compile(rb"\x08\x01\x12"): (
        "the graph of a SavedModel: its variables lie in the folder beside it; give the SavedModel's own folder"
    ),
    re.compile(rb"\n.*(Placeholder|VariableV2|VarHandleOp|Const|NoOp)", re.DOTALL): (
        "a TensorFlow graph, as in .pb and .meta: give the checkpoint that belongs to it"
    ),
    re.compile(rb'\s*\{.*"weight_map"', re.DOTALL): (
        "a list of several files with a part of the weights each: join them first"
    ),
    re.compile(rb"\s*[{\[]"): "a text, probably JSON: give the file of the weights beside it",
    re.compile(rb"\x80[\x02-\x05]"): (
        "a Python pickle that torch.save did not write, and is not loaded, since loading one may run code: save the "
        "weights with torch.save(model.state_dict(), 'weights.pth')"
    ),
    re.compile(rb"\0{4096}"): (
        "a file that begins with zeros alone, as an interrupted download or copy leaves it: get it again"
    ),
}
# The same, for what is told by a member of a zip archive.
FOREIGN_MEMBERS: dict[re.Pattern[str], str] = {
    re.compile(r"(.*/)?constants\.pkl"): (
        "a TorchScript archive, a program with its weights: save the weights alone, with "
        "torch.save(torch.jit.load(PATH).state_dict(), 'weights.pth')"
    ),
    re.compile(r"(.*/)?(archive_format|serialized_exported_program\.json)"): (
        "a program exported by torch.export: save the weights alone, with "
        "torch.save(torch.export.load(PATH).state_dict, 'weights.pth')"
    ),
    re.compile(r"model\.weights\.h5"): "a Keras model, whose names are not those of PNASNet-5's releases",
}
TORCH_MEMBER = re.compile(r"(.*/)?data\.pkl")


def kind_of(path: str, file: BinaryIO) -> Kind:
    """Return the kind of the file, which a message calls `path`; its position is then at the beginning.

    Raise WeightsError, which says what it is and what helps, for a file that no weights are read from.
    """
    size = file.seek(0, SEEK_END)
    file.seek(max(0, size - 8))
    tail = file.read()
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    if not size:
        raise WeightsError(f"{path} is empty")
    for (offset, signature), kind in SIGNATURES.items():
        if head[offset:].startswith(signature):
            return kind
    if tail == MAGIC.to_bytes(8, "little"):
        return Kind.TABLE
    if _is_safetensors(head):
        return Kind.SAFETENSORS
    if head.startswith(b"PK"):
        return _kind_of_zip(path, file)
    raise WeightsError(f"{path} is {_foreign(head)}")


def check_no_stand_in(path: str, file: BinaryIO) -> None:
    """Raise WeightsError, calling the file `path`, where a page or a pointer is in its place."""
    head = file.read(HEAD)
    for pattern, what in STAND_INS.items():
        if pattern.match(head):
            raise WeightsError(f"{path} is {what}")


def _is_safetensors(head: bytes) -> bool:
    """Tell whether a file begins as safetensors does: with the size of its header, and the header, which is JSON."""
    header_size = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and header_size <= LONGEST_HEADER


def _kind_of_zip(path: str, file: BinaryIO) -> Kind:
    """Return the kind of a zip file: torch.save's, or an archive. Raise WeightsError as `kind_of` does."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.namelist()
    except zipfile.BadZipFile as error:
        raise WeightsError(
            f"{path} begins as a zip file, which torch.save writes, but its end is missing or damaged ({error}): "
            "copy or download it again"
        ) from error
    file.seek(0)
    for pattern, what in FOREIGN_MEMBERS.items():
        if any(map(pattern.fullmatch, members)):
            raise WeightsError(f"{path} is {what}")
    if any(map(TORCH_MEMBER.fullmatch, members)):
        return Kind.PYTORCH
    if all(name.endswith(".npy") for name in members):
        raise WeightsError(
            f"{path} is a file of NumPy arrays (.npz): save them as .safetensors or .h5, by the same names"
        )
    return Kind.ZIP


def _foreign(head: bytes) -> str:
    """Return what a file is that begins with these bytes, and that no weights are read from; and what helps."""
    for pattern, what in (STAND_INS | FOREIGN).items():
        if pattern.match(head):
            return what
    return (
        f"of no kind that is known (its first bytes are {head[:8].hex(' ')}): expected a TensorFlow checkpoint, a file "
        "of HDF5, safetensors or PyTorch, or an archive of one"
    )
