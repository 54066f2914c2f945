"""What tells classes where no folder does: each list in its form, checked against all else that tells them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from parity.imagenet.annotations import LISTS, find_annotations, read_annotation
from parity.imagenet.dataset import open_dataset
from parity.imagenet.devkit import KIT_NAMES
from parity.imagenet.writers import Images, write_class_folders, write_flat, write_tar
from pnasnet_torch.classes import WNIDS
from tf_reference.errors import InputError

Write = Callable[[str], Path]
KAGGLE, CAFFE, SYNSETS = LISTS


def lines(images: Images) -> dict[str, str]:
    """Give each list of the images, by its name."""
    kaggle = ["ImageId,PredictionString"]
    # Not in order, as Kaggle's, and some with two boxes.
    for number, (name, wnid, _) in enumerate(reversed(images)):
        kaggle.append(f"{Path(name).stem},{f'{wnid} 1 2 30 40 ' * (1 + number % 2)}")
    caffe = [f"{name} {WNIDS.index(wnid)}" for name, wnid, _ in images]
    synsets = [wnid for _, wnid, _ in images]
    return {name: "\n".join(each) + "\n" for name, each in zip(LISTS, (kaggle, caffe, synsets), strict=True)}


@pytest.fixture
def flat(images: Images, tmp_path: Path) -> Path:
    """A flat folder with nothing that tells classes, as deep as Kaggle's."""
    path = tmp_path / "ILSVRC/Data/CLS-LOC/val"
    write_flat(path, images)
    return path


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("up", [0, 1, 4], ids=["inside", "beside", "kaggle"])
def test_a_list_tells_the_same_as_the_kit(name: str, up: int, flat: Path, images: Images, write: Write) -> None:
    folder = [flat, *flat.parents][up]
    (folder / name).write_text(lines(images)[name])
    dataset = open_dataset(flat)
    assert (dataset.digest, dataset.notes) == (open_dataset(write("flat folder")).digest, ())


def test_kaggle_s_own_folder_may_be_named(flat: Path, images: Images) -> None:
    root = flat.parents[3]
    (root / KAGGLE).write_text(lines(images)[KAGGLE])
    assert open_dataset(root).path == flat


def test_a_tar_takes_lists_too(images: Images, tmp_path: Path) -> None:
    write_tar(tmp_path / "ILSVRC2012_img_val.tar", images)
    (tmp_path / KAGGLE).write_text(lines(images)[KAGGLE])
    assert [image.wnid for image in open_dataset(tmp_path).images] == [wnid for _, wnid, _ in images]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_may_have_any_name_and_ending(name: str, images: Images, tmp_path: Path) -> None:
    content = "\ufeff" + lines(images)[name].replace("\n", "\r\n")
    (tmp_path / "classes").write_text(content, encoding="utf-8", newline="")
    wnids = read_annotation(tmp_path / "classes").wnids
    assert [wnids[Path(image).stem] for image, _, _ in images] == [wnid for _, wnid, _ in images]


def test_the_place_of_a_list_may_be_its_folder(images: Images, tmp_path: Path) -> None:
    (tmp_path / CAFFE).write_text(lines(images)[CAFFE])
    (annotation,) = find_annotations(tmp_path, tmp_path / "elsewhere")
    assert annotation.path == tmp_path / CAFFE


@pytest.mark.parametrize(
    "line",
    [
        "ILSVRC2012_val_00000001.JPEG 1000",  # counted from 1
        "ILSVRC2012_val_00000001.JPEG -1",
        "ILSVRC2012_val_00000001 1",  # Kaggle's ImageSets/CLS-LOC/val.txt, which numbers images
        "ILSVRC2012_val_00000001,n01440764 1 2 3 4 n01443537 1 2 3 4",
        "ILSVRC2012_val_00000001,n00000001 1 2 3 4",
        "490",  # the kit's ground truth without its meta.mat
        "a photograph of a cat",
        "",
    ],
)
def test_a_line_that_tells_no_class(line: str, tmp_path: Path) -> None:
    path = tmp_path / CAFFE
    path.write_text(f"ILSVRC2012_val_00000002.JPEG 7\n{line}\nILSVRC2012_val_00000003.JPEG 7\n")
    with pytest.raises(InputError, match=r"val.txt, line 2: found .*, expected an image and its one class"):
        read_annotation(path)


def test_an_image_with_two_classes_in_a_list(tmp_path: Path) -> None:
    (tmp_path / CAFFE).write_text("a.JPEG 7\nb.JPEG 7\nval/a.JPEG 8\n")
    with pytest.raises(InputError, match=r"val.txt, line 3: found 'val/a.JPEG 8'"):
        read_annotation(tmp_path / CAFFE)


def test_what_tells_classes_has_to_agree(write: Write, images: Images) -> None:
    """The kit by one class, Kaggle's list by another: neither is believed."""
    path = write("flat folder")
    (path.parent / KAGGLE).write_text(lines(images)[KAGGLE])
    open_dataset(path)
    (path.parent / KAGGLE).write_text(f"ILSVRC2012_val_00000003,{WNIDS[7]} 1 2 3 4\n")
    with pytest.raises(InputError) as caught:
        open_dataset(path)
    kit, kaggle = path.parent / KIT_NAMES[1], path.parent / KAGGLE
    expected = f"ILSVRC2012_val_00000003.JPEG has two classes: {images[2][1]} by {kit}, {WNIDS[7]} by {kaggle}."
    assert str(caught.value).startswith(expected)


def test_class_folders_are_checked_too(images: Images, tmp_path: Path) -> None:
    write_class_folders(tmp_path / "val", images)
    (tmp_path / CAFFE).write_text(f"{images[0][0]} {WNIDS.index(images[0][1]) + 1}\n")
    with pytest.raises(InputError, match=r"val_00000001.JPEG has two classes: .* by its folder .*, .* by .*val.txt"):
        open_dataset(tmp_path / "val")


def test_what_is_not_needed_stops_nothing(images: Images, tmp_path: Path) -> None:
    write_class_folders(tmp_path / "val", images)
    (tmp_path / CAFFE).write_text("a list of something else\n")
    dataset = open_dataset(tmp_path / "val")
    assert len(dataset.images) == 12
    assert dataset.notes[0].startswith(f"classes were not checked by what lies beside: {tmp_path / CAFFE}, line 1")
    with pytest.raises(InputError, match="line 1: found 'a list of something else'"):
        open_dataset(tmp_path / "val", tmp_path / CAFFE)


def test_without_any_list_it_is_said_what_would_help(flat: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_dataset(flat)
    problem = str(caught.value)
    assert problem.startswith(f"the class of 12 of 12 images in {flat} is not known: ILSVRC2012_val_00000001.JPEG, ")
    for name in (*KIT_NAMES, *LISTS, "--devkit", str(flat.parents[3])):
        assert name in problem


def test_a_list_that_is_not_there(flat: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.csv cannot be read: No such file or directory"):
        open_dataset(flat, flat / "nowhere.csv")
