"""Class folders and the flat folder: what is taken, what is noted, what is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from parity.imagenet.dataset import open_dataset
from parity.imagenet.devkit import KIT_NAMES
from parity.imagenet.writers import Images, write_class_folders, write_devkit, write_flat, write_tar
from pnasnet_torch.classes import WNIDS
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
        f"classes were not checked by what lies beside: the development kit {path / KIT_NAMES[0]} lacks data/meta.mat "
        "and data/ILSVRC2012_validation_ground_truth.txt: expected " + " or ".join(KIT_NAMES),
    )


def test_a_class_without_images_is_no_fault(write: Write, images: Images) -> None:
    path = write("class folders")
    (path / "n15075141").mkdir()
    assert len(open_dataset(path).images) == len(images)


def test_an_image_without_a_number(write: Write) -> None:
    path = write("flat folder")
    write_flat(path, [("cat.jpg", "", b"")])
    with pytest.raises(InputError, match=r"class of 1 of 13 images .* not known: cat.jpg\. .* original names, such as"):
        open_dataset(path)


@pytest.mark.parametrize("number", [0, 13])
def test_an_image_beyond_the_ground_truth(number: int, write: Write) -> None:
    path = write("flat folder")
    write_flat(path, [(f"ILSVRC2012_val_{number:08d}.JPEG", "", b"")])
    expected = rf"not known: ILSVRC2012_val_{number:08d}.JPEG\. They are not in .*{KIT_NAMES[1]} \(12 images\)"
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


def with_classes(images: Images) -> Images:
    """Name the images as Hugging Face does."""
    return [(name.replace(".JPEG", f"_{wnid}.JPEG"), wnid, content) for name, wnid, content in images]


def test_the_class_in_the_name_is_taken(write: Write, images: Images, tmp_path: Path) -> None:
    """In a flat folder, in a tar and in class folders; the images are those of the other layouts."""
    named = with_classes(images)
    write_flat(tmp_path / "flat", named)
    write_tar(tmp_path / "ILSVRC2012_img_val.tar", named)
    write_class_folders(tmp_path / "folders", named)
    for layout in ("flat", "ILSVRC2012_img_val.tar", "folders"):
        assert open_dataset(tmp_path / layout).digest == open_dataset(write("class folders")).digest


def test_the_class_in_the_name_is_checked(write: Write, images: Images) -> None:
    path = write("flat folder")
    name = images[0][0]
    (path / name).rename(path / name.replace(".JPEG", "_n15075141.JPEG"))
    with pytest.raises(InputError, match=r"00001_n15075141.JPEG has two classes: n15075141 by its name, n\d+ by .*kit"):
        open_dataset(path)


def test_a_name_in_two_class_folders_is_two_images(tmp_path: Path) -> None:
    write_class_folders(tmp_path, [("1.jpg", wnid, wnid.encode()) for wnid in WNIDS[:2]])
    dataset = open_dataset(tmp_path)
    assert [(image.name, image.wnid) for image in dataset.images] == [(f"{wnid}/1.jpg", wnid) for wnid in WNIDS[:2]]
    assert [dataset.read(index) for index in range(2)] == [wnid.encode() for wnid in WNIDS[:2]]


def test_imagenet_v2_s_folders_are_numbers(tmp_path: Path) -> None:
    """Not in the order of their names, in which 10 comes before 2."""
    numbers = [0, 2, 10, 999]
    write_class_folders(tmp_path, [(f"{number}.jpeg", str(number), b"a") for number in numbers])
    dataset = open_dataset(tmp_path)
    assert {image.name: image.label for image in dataset.images} == {f"{number}.jpeg": number + 1 for number in numbers}
    assert dataset.notes == ("4 folders are numbers: taken for the sorted WordNet ids, counted from 0",)


def test_numbers_that_count_from_1_are_refused(tmp_path: Path) -> None:
    write_class_folders(tmp_path, [("a.jpeg", str(number), b"a") for number in (1, 2, 1000)])
    with pytest.raises(InputError, match=r"but 1000 is none of .* expected WordNet ids, or numbers from 0 to 999"):
        open_dataset(tmp_path)


def test_a_link_that_leads_nowhere_is_found_at_once(write: Write) -> None:
    path = write("class folders")
    (path / "n01440764" / "lost.JPEG").symlink_to(path / "gone")
    with pytest.raises(InputError, match=r"1 of 13 files cannot be read, .*lost.JPEG\. Make them readable"):
        open_dataset(path)


def test_a_name_whose_bytes_are_no_text(tmp_path: Path) -> None:
    write_class_folders(tmp_path, [(os.fsdecode(b"caf\xe9.jpg"), "n01440764", b"a")])
    dataset = open_dataset(tmp_path)
    assert [image.name for image in dataset.images] == ["caf\\xe9.jpg"]
    assert (dataset.read(0), len(dataset.digest)) == (b"a", 64)
