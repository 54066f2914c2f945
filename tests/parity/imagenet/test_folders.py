"""Class folders and the flat folder: what is taken, what is noted, what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from parity.imagenet.dataset import open_dataset
from parity.imagenet.devkit import KIT_NAMES
from parity.imagenet.writers import Images, write_class_folders, write_devkit, write_flat
from tf_reference.errors import InputError

Write = Callable[[str], Path]
SUFFIXES = pytest.mark.parametrize("suffix", [".JPEG", ".jpeg", ".JPG", ".jpg", ".Png", ".png"])


@SUFFIXES
def test_suffixes_in_class_folders(suffix: str, tmp_path: Path) -> None:
    write_class_folders(tmp_path, [(f"a{suffix}", "n01440764", b"a"), ("b.gif", "n01440764", b"b")])
    dataset = open_dataset(tmp_path)
    assert [image.name for image in dataset.images] == [f"a{suffix}"]
    assert dataset.notes == ("ignored as no image: n01440764/b.gif",)


@SUFFIXES
def test_suffixes_in_the_flat_folder(suffix: str, tmp_path: Path) -> None:
    images = [(f"ILSVRC2012_val_00000001{suffix}", "n01443537", b"a")]
    write_flat(tmp_path, images)
    write_devkit(tmp_path / KIT_NAMES[1], images)
    assert [(image.name, image.label) for image in open_dataset(tmp_path).images] == [(images[0][0], 2)]


def test_a_folder_that_is_no_class(write: Write) -> None:
    path = write("class folders")
    (path / "n99999999").mkdir()
    with pytest.raises(InputError, match=r"but n99999999 is none of the 1,000 classes.*Move this folder elsewhere"):
        open_dataset(path)


def test_what_else_lies_in_class_folders_is_noted(write: Write) -> None:
    path = write("class folders")
    (path / ".git").mkdir()
    (path / KIT_NAMES[0]).mkdir()
    (path / "n01440764" / "more.jpeg").mkdir()
    write_flat(path, [("list.csv", "", b""), ("ILSVRC2012_val_00000013.JPEG", "", b"")])
    dataset = open_dataset(path)
    assert len(dataset.images) == 12
    assert dataset.notes == (
        "ignored as hidden: .git",
        "ignored as no image: list.csv",
        "ignored as out of place: ILSVRC2012_val_00000013.JPEG, n01440764/more.jpeg",
    )


def test_a_class_without_images_is_no_fault(write: Write, images: Images) -> None:
    path = write("class folders")
    (path / "n15075141").mkdir()
    assert len(open_dataset(path).images) == len(images)


def test_an_image_without_a_number(write: Write) -> None:
    path = write("flat folder")
    write_flat(path, [("cat.jpg", "", b"")])
    with pytest.raises(InputError, match=r"^cat.jpg has no image number .*such as ILSVRC2012_val_00000001.JPEG"):
        open_dataset(path)


@pytest.mark.parametrize("number", [0, 13])
def test_an_image_beyond_the_ground_truth(number: int, write: Write) -> None:
    path = write("flat folder")
    write_flat(path, [(f"ILSVRC2012_val_{number:08d}.JPEG", "", b"")])
    expected = rf"^ILSVRC2012_val_{number:08d}.JPEG: the ground truth in .*{KIT_NAMES[1]} is for the images 1 to 12\."
    with pytest.raises(InputError, match=expected):
        open_dataset(path)


def test_a_folder_that_cannot_be_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may read everything, as in a container, cannot be refused: the fault is planted in the call."""

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    path = write("class folders")
    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(InputError, match=r"the folder .*val cannot be read: Permission denied"):
        open_dataset(path)
