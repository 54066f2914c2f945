"""The same images in whichever layout, and an answer to whatever is no layout."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parity.core.words import few
from parity.imagenet.dataset import Dataset, Image, deviations, open_dataset
from parity.imagenet.labels import label_of
from parity.imagenet.writers import Images, write_class_folders, write_flat, write_tar
from pnasnet_torch.classes import WNIDS
from tests.waiting import run
from tf_reference.errors import InputError

Write = Callable[[str], Path]
LAYOUTS = ("class folders", "flat folder", "tar", "TFRecord shards")
EVERY_LAYOUT = pytest.mark.parametrize("layout", LAYOUTS)
FULL = tuple(Image(f"ILSVRC2012_val_{number + 1:08d}.JPEG", WNIDS[number % 1000]) for number in range(50_000))


def made(images: tuple[Image, ...]) -> Dataset:
    return Dataset("made by hand", Path(), images)


@EVERY_LAYOUT
def test_every_layout_has_the_same_images(layout: str, write: Write, images: Images) -> None:
    dataset = open_dataset(write(layout))
    assert (dataset.layout, dataset.notes) == (layout, ())
    assert [(image.name, image.wnid) for image in dataset.images] == [(name, wnid) for name, wnid, _ in images]
    assert [image.label for image in dataset.images] == [7 * number % 5 * 199 + 1 for number in range(12)]
    assert [dataset.read(index) for index in range(12)] == [content for _, _, content in images]


def test_the_digest_is_the_same_in_every_layout(write: Write) -> None:
    assert len({open_dataset(write(layout)).digest for layout in LAYOUTS}) == 1


def test_the_digest_is_of_names_classes_and_their_order() -> None:
    first, second = FULL[:2]
    sets = [(first,), (second,), (first, second), (second, first), (Image(first.name, second.wnid),)]
    assert len({made(images).digest for images in sets}) == len(sets)
    # printf 'a.JPEG n01440764\n' | sha256sum
    known = "db459f06172ee20661f78ba401b5bc720649ecd591e84ae001e2896a6ac6e8de"
    assert made((Image("a.JPEG", "n01440764"),)).digest == known


@EVERY_LAYOUT
def test_threads_do_not_disturb_each_other(layout: str, write: Write, images: Images) -> None:
    dataset = open_dataset(write(layout))
    indices = [13 * number % 12 for number in range(600)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(dataset.read, indices))
    assert found == [images[index][2] for index in indices]


# Positions that every list of the classes for PyTorch has (tench, tabby, toilet tissue), and slim's background.
@pytest.mark.parametrize(("wnid", "position"), [("n01440764", 0), ("n02123045", 281), ("n15075141", 999)])
def test_classes_count_from_1(wnid: str, position: int) -> None:
    assert label_of(wnid) == Image("a.JPEG", wnid).label == position + 1


def test_the_classes_are_1000_in_order() -> None:
    assert len(set(WNIDS)) == 1000
    assert list(WNIDS) == sorted(WNIDS)


def test_what_is_no_class_has_no_label() -> None:
    with pytest.raises(InputError, match=r"n00000001 is none of the 1,000 classes"):
        label_of("n00000001")


@EVERY_LAYOUT
def test_a_folder_may_hold_the_layout(layout: str, write: Write) -> None:
    """In a folder `val`, or as the tar under its own name; the kit lies beside."""
    path = write(layout)
    (path.parent / "readme.txt").touch()
    assert open_dataset(path.parent).path == path
    assert open_dataset(path.parent).digest == open_dataset(path).digest


def test_the_place_may_be_relative(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write("flat folder"))
    assert len(open_dataset(Path()).images) == 12
    monkeypatch.chdir(write("tar").parent)
    assert len(open_dataset(Path("ILSVRC2012_img_val.tar")).images) == 12


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no .*nowhere\. Expected one of these layouts:"):
        open_dataset(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ((), "nothing"),
        (("a.txt", "cat.jpg", "tench"), "a.txt, cat.jpg, tench"),
        ("abcdefg", "a, b, c, d, e and 2 more"),
    ],
)
def test_a_folder_of_no_known_layout(files: tuple[str, ...], found: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(InputError) as caught:
        open_dataset(tmp_path)
    problem, *layouts = str(caught.value).splitlines()
    assert problem == f"{tmp_path} is no ImageNet validation set: found {found}. Expected one of these layouts:"
    assert [line[2:18].strip() for line in layouts] == list(LAYOUTS)


@pytest.mark.parametrize(
    "name",
    [
        "validation-00000-of-00014.parquet",
        "imagenet2012-validation.array_record-00000-of-00064",
        "data.mdb",
        "imagenet-object-localization-challenge.zip",
        "ILSVRC2012_img_val.tar.gz",
    ],
)
def test_what_is_not_read_is_to_be_unpacked(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(
        InputError, match=rf"found {name}\. Unpack {name}, or write the images in it out as files\. Exp"
    ):
        open_dataset(tmp_path)


def test_a_set_without_images(write: Write, tmp_path: Path) -> None:
    (tmp_path / "n01440764").mkdir()
    with pytest.raises(InputError, match=r"\(class folders\) holds no images"):
        open_dataset(tmp_path)
    write_tar(write("tar"), [])
    with pytest.raises(InputError, match=r"img_val.tar \(tar\) holds no images"):
        open_dataset(tmp_path / "tar")


def test_a_name_in_two_places(write: Write, images: Images) -> None:
    path = write("class folders")
    name, wnid, content = images[1]
    write_class_folders(path, [(name, WNIDS[-1], content)])
    with pytest.raises(InputError) as caught:
        open_dataset(path)
    first, second = path / wnid / name, path / WNIDS[-1] / name
    assert str(caught.value).startswith(f"{name} is there twice: {first}, and {second}. Expected each once")


def test_a_file_that_goes_after_it_was_listed(write: Write, images: Images) -> None:
    path = write("class folders")
    dataset = open_dataset(path)
    (path / images[3][1] / images[3][0]).unlink()
    with pytest.raises(InputError, match=r"val_00000004.JPEG cannot be read: No such file"):
        dataset.read(3)


def test_a_file_that_shrinks_after_it_was_listed(write: Write, images: Images) -> None:
    path = write("tar")
    dataset = open_dataset(path)
    path.write_bytes(path.read_bytes()[: 512 + 100])
    expected = rf"img_val.tar at byte 512: found 100 bytes of an image, expected {len(images[0][2])}\. .*start again"
    with pytest.raises(InputError, match=expected):
        dataset.read(0)


def test_hidden_files_and_others_are_noted(write: Write) -> None:
    path = write("flat folder")
    write_flat(path, [(name, "", b"") for name in (".DS_Store", "._ILSVRC2012_val_00000001.JPEG", "a.txt", "b.md")])
    dataset = open_dataset(path)
    assert len(dataset.images) == 12
    assert dataset.notes == (
        "ignored as hidden: .DS_Store, ._ILSVRC2012_val_00000001.JPEG",
        "ignored as no image: a.txt, b.md",
    )


def test_the_full_set_does_not_deviate() -> None:
    assert deviations(made(FULL)) == []


def test_a_small_set_deviates(write: Write) -> None:
    assert deviations(open_dataset(write("class folders"))) == [
        "there are 12 images, not 50,000",
        "1,000 of the 1,000 classes have not 50 images: n01440764 has 3, n01443537 has 0, n01484850 has 0, "
        "n01491361 has 0, n01494475 has 0 and 995 more",
    ]


def test_an_image_in_the_wrong_class_is_a_deviation() -> None:
    moved = (Image(FULL[0].name, WNIDS[1]), *FULL[1:])
    expected = "2 of the 1,000 classes have not 50 images: n01440764 has 49, n01443537 has 51"
    assert deviations(made(moved)) == [expected]


def test_as_many_names_as_the_limit_are_all_named() -> None:
    assert (few([]), few(["a", "b"], 2), few(["a", "b", "c"], 2)) == ("", "a, b", "a, b and 1 more")


def test_reading_needs_no_framework_until_there_are_records(write: Write) -> None:
    path = write("tar")
    code = "import sys; from pathlib import Path; import parity.imagenet.writers; "
    code += "from parity.imagenet.dataset import open_dataset; open_dataset(Path(sys.argv[1])); print(*sys.modules)"
    result, said = run(sys.executable, "-c", code, path)
    assert result == 0, said
    assert not {"tensorflow", "torch", "pytest"} & set(said.split())
