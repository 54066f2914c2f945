"""The development kit: found, read packed and unpacked, and its ids go through meta.mat."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from parity.imagenet.dataset import open_dataset
from parity.imagenet.devkit import GROUND_TRUTH, KIT, KIT_NAMES, META, read_devkit
from parity.imagenet.writers import FIELDS, Images, write_devkit
from pnasnet_torch.classes import WNIDS
from tf_reference.errors import InputError

Write = Callable[[str], Path]


def test_packed_and_unpacked_say_the_same(unpacked_kit: Path, images: Images) -> None:
    packed = read_devkit(unpacked_kit.parents[1] / "kit.tar.gz")
    assert packed == read_devkit(unpacked_kit) == [wnid for _, wnid, _ in images]


@pytest.mark.parametrize("layout", ["flat folder", "tar"])
def test_a_kit_that_is_given_goes_before_one_beside(layout: str, write: Write, unpacked_kit: Path) -> None:
    path = write(layout)
    expected = open_dataset(path).digest
    (path.parent / KIT_NAMES[1]).write_bytes(b"damaged")
    assert open_dataset(path, unpacked_kit).digest == expected


@pytest.mark.parametrize("place", ["val", "."])
@pytest.mark.parametrize("packed", [True, False])
def test_a_kit_is_found_beside_the_images(place: str, packed: bool, write: Write, unpacked_kit: Path) -> None:
    path = write("flat folder")
    kit = path.parent / KIT_NAMES[1]
    moved = kit if packed else unpacked_kit
    content = moved.rename(path.parent / "moved")
    kit.unlink(missing_ok=True)
    content.rename(path.parent / place / (KIT_NAMES[1] if packed else KIT))
    for given in (path, path.parent):
        dataset = open_dataset(given)
        assert (len(dataset.images), dataset.notes) == (12, ())


@pytest.mark.parametrize("seed", [1, 2])
def test_other_ids_for_the_classes_change_no_label(seed: int, write: Write, images: Images, tmp_path: Path) -> None:
    """Another numbering is another ground truth and another meta.mat, but the same classes."""
    path = write("flat folder")
    write_devkit(tmp_path / "other.tar.gz", images, seed)
    with tarfile.open(path.parent / KIT_NAMES[1]) as first, tarfile.open(tmp_path / "other.tar.gz") as second:
        truths = [tar.extractfile(f"{KIT}/data/{GROUND_TRUTH}") for tar in (first, second)]
        assert len({truth.read() for truth in truths if truth}) == 2
    assert open_dataset(path, tmp_path / "other.tar.gz").digest == open_dataset(path).digest


def test_ids_go_through_meta_mat(unpacked_kit: Path) -> None:
    """By hand: with ids that count down the wnids, id 1 is the last class and id 1000 the first."""
    rows = np.array([(1000 - n, wnid) for n, wnid in enumerate(WNIDS)], [("ILSVRC2012_ID", "O"), ("WNID", "O")])
    savemat(unpacked_kit / "data" / META, {"synsets": rows[:, None]})
    (unpacked_kit / "data" / GROUND_TRUTH).write_text("1\n1000\n2\n")
    assert read_devkit(unpacked_kit) == [WNIDS[999], WNIDS[0], WNIDS[998]]


def test_the_written_kit_has_the_real_form(unpacked_kit: Path) -> None:
    synsets = loadmat(unpacked_kit / "data" / META)["synsets"]
    assert (synsets.shape, synsets.dtype.names) == ((1003, 1), FIELDS)
    numbers = [int(row["ILSVRC2012_ID"].item()) for row in synsets[:, 0]]
    leaves = [row["WNID"].item() for row in synsets[:, 0] if row["num_children"].item() == 0]
    assert numbers == list(range(1, 1004))
    assert sorted(leaves) == list(WNIDS) != leaves


def test_the_images_of_a_kit_are_numbered(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"image 1 is named .*2\.JPEG: expected ILSVRC2012_val_00000001"):
        write_devkit(tmp_path / "kit.tar.gz", [("ILSVRC2012_val_00000002.JPEG", WNIDS[0], b"")])


@pytest.mark.parametrize("name", [META, GROUND_TRUTH])
def test_a_kit_that_lacks_a_file(name: str, unpacked_kit: Path) -> None:
    (unpacked_kit / "data" / name).unlink()
    with pytest.raises(InputError, match=rf"the development kit .*{KIT} lacks data/{name}: expected {KIT} or"):
        read_devkit(unpacked_kit)
    with tarfile.open(unpacked_kit.parent / "packed.tar.gz", "w:gz") as tar:
        tar.add(unpacked_kit, KIT)
    with pytest.raises(InputError, match=rf"the development kit .*packed.tar.gz lacks data/{name}: expected"):
        read_devkit(unpacked_kit.parent / "packed.tar.gz")


def test_a_kit_without_its_compression(unpacked_kit: Path, images: Images) -> None:
    """As browsers leave it, which unpack what they download."""
    packed = unpacked_kit.parents[1] / "kit.tar.gz"
    path = packed.with_name(KIT_NAMES[2])
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    assert read_devkit(path) == [wnid for _, wnid, _ in images]


def test_the_folder_in_the_kit_is_enough(unpacked_kit: Path) -> None:
    assert read_devkit(unpacked_kit / "data") == read_devkit(unpacked_kit)


def test_a_kit_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the development kit .*nowhere cannot be read: .*No such file"):
        read_devkit(tmp_path / "nowhere")


def test_a_packed_kit_that_is_truncated(unpacked_kit: Path) -> None:
    path = unpacked_kit.parents[1] / "kit.tar.gz"
    whole = path.read_bytes()
    for length in (0, 5, 1000, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"kit.tar.gz is no sound archive .*: copy it again"):
            read_devkit(path)


def test_a_packed_kit_with_a_flipped_bit(unpacked_kit: Path) -> None:
    path = unpacked_kit.parents[1] / "kit.tar.gz"
    content = bytearray(path.read_bytes())
    for position in (0, 1000, len(content) // 2, -20, -8, -1):
        content[position] ^= 1
        path.write_bytes(content)
        content[position] ^= 1
        with pytest.raises(InputError, match=r"kit.tar.gz is no sound archive .*: copy it again"):
            read_devkit(path)


@pytest.mark.parametrize("keep", [0, 100, 5000], ids=["empty", "no-header", "half"])
def test_a_meta_mat_that_cannot_be_read(keep: int, unpacked_kit: Path) -> None:
    meta = unpacked_kit / "data" / META
    meta.write_bytes(meta.read_bytes()[:keep])
    with pytest.raises(InputError, match=rf"{KIT}: data/meta.mat cannot be read \(\w+: .*copy the kit again"):
        read_devkit(unpacked_kit)


def test_a_meta_mat_of_something_else(unpacked_kit: Path) -> None:
    savemat(unpacked_kit / "data" / META, {"other": np.ones(3)})
    with pytest.raises(InputError, match=r"cannot be read \(KeyError: 'synsets'\)"):
        read_devkit(unpacked_kit)


def test_a_meta_mat_with_a_foreign_class(unpacked_kit: Path) -> None:
    meta = unpacked_kit / "data" / META
    synsets = loadmat(meta)["synsets"]
    synsets["WNID"][0, 0], gone = "n00000001", synsets["WNID"][0, 0].item()
    savemat(meta, {"synsets": synsets})
    with pytest.raises(InputError, match=rf"leave out 1 of the 1,000 classes \({gone}\): expected each once"):
        read_devkit(unpacked_kit)


@pytest.mark.parametrize("line", ["0", "1001", "n01440764", "7.0", "", "७"])
def test_a_ground_truth_that_is_no_id(line: str, unpacked_kit: Path) -> None:
    truth = unpacked_kit / "data" / GROUND_TRUTH
    truth.write_text(f"1000\r\n{line}\n3\n\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"{GROUND_TRUTH}, line 2: found .*expected an id from 1 to 1000"):
        read_devkit(unpacked_kit)


def test_folders_in_the_packed_kit_do_not_matter(unpacked_kit: Path) -> None:
    path = unpacked_kit.parent / "packed.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(f"./{KIT}/evaluation/{META}"), io.BytesIO())
        tar.add(unpacked_kit / "data", f"./{KIT}/data")
    assert read_devkit(path) == read_devkit(unpacked_kit)
