"""slim's TFRecord shards: complete, sound, and of one mind about each image's class."""

import gzip
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parity.imagenet.dataset import open_dataset
from parity.imagenet.labels import label_of
from parity.imagenet.writers import Images, write_records
from pnasnet_torch.classes import WNIDS
from tf_reference.compat import tensorflow
from tf_reference.errors import InputError

Write = Callable[[str], Path]


@pytest.fixture
def shard(write: Write) -> Path:
    return write("TFRecord shards") / "validation-00001-of-00003"


def read(path: Path) -> Iterator[Any]:
    for record in tensorflow().data.TFRecordDataset(str(path)).as_numpy_iterator():
        yield tensorflow().train.Example.FromString(record)


def rewrite(path: Path, change: Callable[[Any], None]) -> None:
    """Changes the features of each record of a shard."""
    examples = list(read(path))
    with tensorflow().io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            change(example.features.feature)
            writer.write(example.SerializeToString())


def test_the_features_are_slims(shard: Path, images: Images) -> None:
    """Of each record, those that build_imagenet_data.py lists in its docstring."""
    sizes = {name: (8 + number, 9) for number, (name, _, _) in enumerate(images)}
    for example in read(shard):
        features = example.features.feature
        keys = "height width colorspace channels class/label class/synset class/text format filename encoded"
        boxes = {f"object/bbox/{key}" for key in ("xmin", "xmax", "ymin", "ymax", "label")}
        assert set(features) == {f"image/{key}" for key in boxes.union(keys.split())}
        name, wnid = (features[f"image/{key}"].bytes_list.value[0].decode() for key in ("filename", "class/synset"))
        numbers = [features[f"image/{key}"].int64_list.value[0] for key in ("width", "height", "class/label")]
        assert numbers == [*sizes[name], label_of(wnid)]


def test_images_are_shuffled_over_the_shards(shard: Path, images: Images) -> None:
    names = [
        [example.features.feature["image/filename"].bytes_list.value[0].decode() for example in read(path)]
        for path in sorted(shard.parent.iterdir())
    ]
    listed = [name for part in names for name in part]
    assert [len(part) for part in names] == [4, 4, 4]
    assert sorted(listed) == [name for name, _, _ in images] != listed


def test_more_shards_than_images(images: Images, tmp_path: Path) -> None:
    write_records(tmp_path, images, 16)
    assert len(list(tmp_path.iterdir())) == 16
    dataset = open_dataset(tmp_path)
    assert len(dataset.images) == 12
    assert dataset.notes == (
        "shards without any image: validation-00000-of-00016, validation-00004-of-00016, validation-00008-of-00016, "
        "validation-00012-of-00016",
    )


def test_missing_shards_are_listed(shard: Path) -> None:
    shard.unlink()
    shard.with_name("validation-00000-of-00003").unlink()
    expected = r"lacks 2 of 3 shards: validation-00000-of-00003, validation-00001-of-00003\. Add them"
    with pytest.raises(InputError, match=expected):
        open_dataset(shard.parent)


@pytest.mark.parametrize("name", ["validation-00003-of-00003", "validation-00000-of-00002"])
def test_shards_of_another_set(name: str, shard: Path) -> None:
    shard.with_name(name).touch()
    with pytest.raises(InputError, match=rf"has shards that are none of its 3: {name}\. Move them elsewhere"):
        open_dataset(shard.parent)


def test_what_else_lies_beside_the_shards_is_noted(shard: Path) -> None:
    for name in ("train-00000-of-00004", ".hidden", "labels.txt"):
        shard.with_name(name).touch()
    assert open_dataset(shard.parent).notes == (
        "ignored as hidden: .hidden",
        "ignored as no image: labels.txt, train-00000-of-00004",
    )


@pytest.mark.parametrize("beyond", [1, 8, 11, 12, 15, 16, 100, -1, -4, -5])
def test_a_truncated_shard(beyond: int, shard: Path) -> None:
    """Cut so many bytes after the start of the second record, or before its end: in each part of its framing."""
    content = shard.read_bytes()
    second, third = starts(content)[1:3]
    shard.write_bytes(content[: (second if beyond > 0 else third) + beyond])
    expected = rf"00001-of-00003 is truncated or damaged: expected a sound record at byte {second:,} of [\d,]+\. Copy"
    with pytest.raises(InputError, match=expected):
        open_dataset(shard.parent)


@pytest.mark.parametrize("position", [0, 7, 8, 11, 12, 500, -1])
def test_a_damaged_shard(position: int, shard: Path) -> None:
    """One bit of the length, its checksum, the data, or its checksum in the second record."""
    content = bytearray(shard.read_bytes())
    second, third = starts(content)[1:3]
    content[(second if position >= 0 else third) + position] ^= 4
    shard.write_bytes(content)
    with pytest.raises(InputError, match=rf"truncated or damaged: expected a sound record at byte {second:,} of"):
        open_dataset(shard.parent)


def starts(content: bytes | bytearray) -> list[int]:
    """Where the records of a sound shard start, by its framing."""
    found = [0]
    while found[-1] < len(content):
        found.append(found[-1] + 16 + int.from_bytes(content[found[-1] :][:8], "little"))
    return found


def test_a_shard_that_is_no_file(shard: Path) -> None:
    shard.unlink()
    shard.mkdir()
    with pytest.raises(InputError, match=r"00001-of-00003 cannot be read: .*"):
        open_dataset(shard.parent)


@pytest.mark.parametrize("label", [0, 17, 999])
def test_a_label_that_contradicts_the_synset(label: int, shard: Path) -> None:
    rewrite(shard, lambda features: features["image/class/label"].int64_list.value.__setitem__(0, label))
    expected = rf"the record at byte 0 \(ILSVRC.*JPEG\): image/class/label is {label}, but image/class/synset is n\d+, "
    with pytest.raises(InputError, match=expected + r"class \d+ of 1 to 1000\. Convert"):
        open_dataset(shard.parent)


def test_the_label_may_be_absent(shard: Path) -> None:
    expected = open_dataset(shard.parent).digest
    rewrite(shard, lambda features: features.pop("image/class/label"))
    assert open_dataset(shard.parent).digest == expected


@pytest.mark.parametrize("key", ["image/encoded", "image/filename", "image/class/synset"])
@pytest.mark.parametrize("values", [[], [b""], [b"a", b"b"]], ids=["none", "empty", "two"])
def test_a_record_without_a_feature(key: str, values: list[bytes], shard: Path) -> None:
    def change(features: Any) -> None:
        features[key].bytes_list.value[:] = values

    rewrite(shard, change)
    expected = rf"00001-of-00003, the record at byte 0: found {len(values)} values of {key}, expected one"
    with pytest.raises(InputError, match=expected):
        open_dataset(shard.parent)


def test_a_synset_that_is_no_class(shard: Path) -> None:
    rewrite(shard, lambda features: features["image/class/synset"].bytes_list.value.__setitem__(0, b"n00000001"))
    with pytest.raises(InputError, match=r"image/class/synset is 'n00000001', which is no class of ILSVRC-2012"):
        open_dataset(shard.parent)


def test_a_record_that_is_no_example(shard: Path) -> None:
    with tensorflow().io.TFRecordWriter(str(shard)) as writer:
        writer.write(b"\xff\xff\xff")
    with pytest.raises(InputError, match=r"the record at byte 0 is no tf.train.Example"):
        open_dataset(shard.parent)


def test_a_filename_with_folders(shard: Path) -> None:
    """slim writes base names; others write whole paths."""
    expected = open_dataset(shard.parent).digest

    def change(features: Any) -> None:
        features["image/filename"].bytes_list.value[0] = b"val/" + features["image/filename"].bytes_list.value[0]

    rewrite(shard, change)
    assert open_dataset(shard.parent).digest == expected


def test_a_name_in_two_shards(shard: Path) -> None:
    shard.with_name("validation-00000-of-00003").write_bytes(shard.read_bytes())
    expected = r"JPEG is there twice: .*-00000-of-00003 at byte [\d,]+, and .*-00001-of-00003 at byte [\d,]+\. Expected"
    with pytest.raises(InputError, match=expected):
        open_dataset(shard.parent)


def test_indexing_is_logged_by_shard(shard: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "parity"):
        open_dataset(shard.parent)
    assert caplog.messages == [f"indexing {path}" for path in sorted(shard.parent.iterdir())]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_compressed_shard_is_called_one(suffix: str, shard: Path) -> None:
    """It is sound: nobody is told to copy it again."""
    content = gzip.compress(shard.read_bytes())
    shard.rename(shard.with_name(shard.name + suffix)).write_bytes(content)
    with pytest.raises(InputError, match=rf"00001-of-00003{suffix} is compressed, .* by `gzip -dc ") as caught:
        open_dataset(shard.parent)
    assert "again" not in str(caught.value)


def tfds(folder: Path, images: Images, label: int | None = None) -> None:
    """Write the images as TFDS does, in one shard; `label` is that of all, where it is given."""
    tf = tensorflow()
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "imagenet2012-validation.tfrecord-00000-of-00001")) as writer:
        for name, wnid, content in images:
            features = tf.train.Features()
            features.feature["image"].bytes_list.value.append(content)
            features.feature["file_name"].bytes_list.value.append(name.encode())
            features.feature["label"].int64_list.value.append(WNIDS.index(wnid) if label is None else label)
            writer.write(tf.train.Example(features=features).SerializeToString())


def test_tfds_s_records_are_taken(images: Images, write: Write, tmp_path: Path) -> None:
    tfds(tmp_path / "5.1.0", images)
    (tmp_path / "5.1.0/label.labels.txt").write_text("\n".join(WNIDS) + "\n")
    dataset = open_dataset(tmp_path / "5.1.0")
    assert dataset.digest == open_dataset(write("TFRecord shards")).digest
    assert [dataset.read(index) for index in range(12)] == [content for _, _, content in images]


@pytest.mark.parametrize("label", [-1, 1000])
def test_a_label_of_tfds_that_is_none(label: int, images: Images, tmp_path: Path) -> None:
    tfds(tmp_path / "5.1.0", images, label)
    with pytest.raises(InputError, match=rf"record at byte 0: found the label {label}, expected one of 0 to 999"):
        open_dataset(tmp_path / "5.1.0")


def test_tfds_s_classes_in_another_order(images: Images, tmp_path: Path) -> None:
    tfds(tmp_path / "5.1.0", images)
    (tmp_path / "5.1.0/label.labels.txt").write_text("\n".join(reversed(WNIDS)))
    with pytest.raises(InputError, match=r"label.labels.txt has other classes than ILSVRC-2012"):
        open_dataset(tmp_path / "5.1.0")
