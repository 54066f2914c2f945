"""The small set: whole or not there."""

from pathlib import Path

import pytest

from parity.imagenet import sample
from tf_reference.errors import InputError


@pytest.mark.parametrize("reason", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_part_of_a_set_is_removed(reason: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next run would refuse the folder, and others would take it for the whole."""

    def stop(folder: Path, _images: object) -> None:
        (folder / "image").touch()
        raise reason

    monkeypatch.setattr(sample, "sample_images", list)
    monkeypatch.setattr(sample, "write_flat", lambda folder, images: stop(folder.parent, images))
    monkeypatch.setattr(sample, "write_class_folders", lambda folder, _images: folder.mkdir(parents=True))
    with pytest.raises(type(reason)):
        sample.make_sample(tmp_path / "set", ())
    assert not (tmp_path / "set").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    with pytest.raises(InputError, match=r"is there already: give a new folder$"):
        sample.make_sample(tmp_path, ())
    assert (tmp_path / "something").exists()
