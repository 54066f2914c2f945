"""The tar: read in place, and a damaged one is refused."""

import bz2
import gzip
import logging
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from parity.imagenet.dataset import open_dataset
from parity.imagenet.writers import Images, write_tar
from tf_reference.errors import InputError

Write = Callable[[str], Path]


@pytest.mark.parametrize(
    "prefix", ["./", "val/", "./ILSVRC2012/images/val/", "n" * 200 + "/"], ids=["dot", "val", "deep", "long"]
)
def test_folders_in_the_tar_do_not_matter(prefix: str, write: Write, images: Images) -> None:
    path = write("tar")
    plain = open_dataset(path).digest
    write_tar(path, images, prefix)
    dataset = open_dataset(path)
    assert dataset.digest == plain
    assert [dataset.read(index) for index in range(12)] == [content for _, _, content in images]


def test_what_else_is_in_the_tar_is_noted(write: Write, images: Images) -> None:
    path = write("tar")
    with tarfile.open(path, "a") as tar:
        tar.add(path.parent, "val", recursive=False)
        tar.add(Path(__file__), "val/readme.txt")
        link = tarfile.TarInfo("val/ILSVRC2012_val_00000013.JPEG")
        link.type, link.linkname = tarfile.SYMTYPE, images[0][0]
        tar.addfile(link)
    dataset = open_dataset(path)
    assert len(dataset.images) == 12
    assert dataset.notes == (
        "ignored as no image: val/readme.txt",
        "ignored as out of place: val/ILSVRC2012_val_00000013.JPEG",
    )


def test_a_name_twice_in_the_tar(write: Write, images: Images) -> None:
    path = write("tar")
    write_tar(path, [*images, ("again/" + images[0][0], *images[0][1:])])
    with pytest.raises(
        InputError, match=rf"{images[0][0]} is there twice: .*tar at byte 512, and .*tar at byte [\d,]+\."
    ):
        open_dataset(path)


def test_a_truncated_tar(write: Write) -> None:
    """Cut anywhere: in a header, at its end, in an image, after it, and before the mark of the end."""
    path = write("tar")
    whole = path.read_bytes()
    end = len(whole.rstrip(b"\0")) // 512 * 512 + 512
    for length in (0, 100, 512, 700, 1023, end // 1024 * 512, end // 1024 * 512 + 700, end - 1, end, end + 100):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"img_val\.tar is truncated or damaged.*Copy it again"):
            open_dataset(path)


def test_a_damaged_header_is_not_the_end(write: Write) -> None:
    path = write("tar")
    content = bytearray(path.read_bytes())
    second = content.index(b"ILSVRC2012_val_00000002")
    content[second + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"truncated or damaged at byte {second:,}, after 1 members"):
        open_dataset(path)


def test_another_file_is_no_tar(write: Write) -> None:
    path = write("tar")
    path.write_bytes(b"text\n" * 500)
    with pytest.raises(
        InputError, match=r"is no tar: it begins with b'text.*Expected ILSVRC2012_img_val\.tar, or the folder"
    ):
        open_dataset(path)


@pytest.mark.parametrize(("module", "command"), [(gzip, "gzip"), (bz2, "bzip2"), (lzma, "xz")])
def test_a_compressed_tar_is_called_one(module: ModuleType, command: str, write: Write) -> None:
    """It is sound: nobody is told to copy it again."""
    path = write("tar")
    path.write_bytes(module.compress(path.read_bytes()))
    with pytest.raises(InputError, match=rf"img_val.tar is compressed.*unpack it, as by `{command} -dc ") as caught:
        open_dataset(path)
    assert "again" not in str(caught.value)


def test_a_tar_of_class_folders_needs_no_kit(images: Images, tmp_path: Path) -> None:
    path = tmp_path / "ILSVRC2012_img_val.tar"
    write_tar(path, [(f"{wnid}/{name}", wnid, content) for name, wnid, content in images])
    assert [image.wnid for image in open_dataset(path).images] == [wnid for _, wnid, _ in images]


def test_a_tar_of_tars_is_no_validation_set(tmp_path: Path) -> None:
    path = tmp_path / "ILSVRC2012_img_train.tar"
    write_tar(path, [("n01440764.tar", "", b"a"), ("n01443537.tar", "", b"b")])
    with pytest.raises(InputError, match=r"holds no images: found n01440764\.tar, n01443537\.tar"):
        open_dataset(path)


def test_indexing_is_logged(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    path = write("tar")
    with caplog.at_level(logging.INFO, "parity"):
        open_dataset(path)
    assert caplog.messages == [f"indexing {path}"]
