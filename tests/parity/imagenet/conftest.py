"""A small ImageNet, and how it is laid out."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from parity.imagenet.devkit import KIT, KIT_NAMES
from parity.imagenet.writers import Images, write_class_folders, write_devkit, write_flat, write_records, write_tar
from pnasnet_torch.classes import WNIDS

Write = Callable[[str], Path]


def jpeg(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8 + number, 9), (9 * number, 3, 200)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def images() -> Images:
    """Twelve JPEG images of five classes, whose names are not in the order of the classes."""
    wnids = [WNIDS[7 * number % 5 * 199] for number in range(12)]
    return [(f"ILSVRC2012_val_{number + 1:08d}.JPEG", wnid, jpeg(number)) for number, wnid in enumerate(wnids)]


@pytest.fixture(scope="session")
def kit(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The development kit of the images, packed; to be copied, since it takes longest to write."""
    path = tmp_path_factory.mktemp("kit") / KIT_NAMES[1]
    write_devkit(path, images)
    return path


@pytest.fixture
def write(images: Images, kit: Path, tmp_path: Path) -> Write:
    """Writes the images in a layout, in a folder of its own, and gives the path for `open_dataset`."""

    def written(layout: str) -> Path:
        path = tmp_path / layout / "val"
        if layout == "class folders":
            write_class_folders(path, images)
        elif layout == "TFRecord shards":
            write_records(path, images, shards=3)
        else:
            path.parent.mkdir(exist_ok=True)
            shutil.copy(kit, path.parent)
        if layout == "flat folder":
            write_flat(path, images)
        if layout == "tar":
            path = path.with_name("ILSVRC2012_img_val.tar")
            write_tar(path, images)
        return path

    return written


@pytest.fixture
def unpacked_kit(kit: Path, tmp_path: Path) -> Path:
    """The development kit of the images as a folder; packed, it lies beside as kit.tar.gz."""
    shutil.copy(kit, tmp_path / "kit.tar.gz")
    shutil.unpack_archive(tmp_path / "kit.tar.gz", tmp_path / "unpacked", filter="data")
    return tmp_path / "unpacked" / KIT
