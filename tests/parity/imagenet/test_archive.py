"""The tar: read in place, and a damaged one is refused."""

import gzip
import logging
import tarfile
from collections.abc import Callable
from pathlib import Path

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
        with pytest.raises(InputError, match=r"img_val\.tar is (no sound|truncated or damaged).*[Cc]opy it again"):
            open_dataset(path)


def test_a_damaged_header_is_not_the_end(write: Write) -> None:
    path = write("tar")
    content = bytearray(path.read_bytes())
    second = content.index(b"ILSVRC2012_val_00000002")
    content[second + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"truncated or damaged at byte {second:,}, after 1 members"):
        open_dataset(path)


@pytest.mark.parametrize("content", [b"text\n" * 500, gzip.compress(bytes(10240))], ids=["text", "gzip"])
def test_another_file_is_no_tar(content: bytes, write: Write) -> None:
    path = write("tar")
    path.write_bytes(content)
    expected = rf"is no sound uncompressed tar \({len(content):,} bytes\).*Expected ILSVRC2012_img_val.tar"
    with pytest.raises(InputError, match=expected):
        open_dataset(path)


def test_indexing_is_logged(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    path = write("tar")
    with caplog.at_level(logging.INFO, "parity"):
        open_dataset(path)
    assert caplog.messages == [f"indexing {path}"]
