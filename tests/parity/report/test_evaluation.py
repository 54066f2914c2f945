"""The evaluation's section, of an evaluator made by hand."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from parity.core.specification import PHOTOGRAPHS
from parity.report.columns import plain
from parity.report.evaluation import THUMBNAILS, evaluation
from parity.report.faults import faults
from parity.report.pictures import THUMBNAIL, thumbnail_of
from tf_reference.errors import InputError


class Evaluated:
    """One network with disagreeing images, all of which can be read but the second."""

    def __init__(self, count: int) -> None:
        self.names = [f"{number}.JPEG" for number in range(count)]

    def as_dicts(self) -> list[dict[str, Any]]:
        rows = [{"name": name, "margin": float("inf"), "correct": (True, False)} for name in self.names]
        return [{"network": "mobile-224", "evaluated": 64, "disagreements": rows}] if rows else []

    def header(self) -> list[str]:
        return ["imagenet: a line"]

    def read(self, name: str) -> bytes:
        if name == "1.JPEG":
            raise InputError("it is gone")
        return (PHOTOGRAPHS / "chelsea.jpg").read_bytes()


def test_disagreeing_images_have_thumbnails() -> None:
    """Those that can be read, up to a number; the section is plain data, and has the limits of the set."""
    found = evaluation(Evaluated(THUMBNAILS + 5))  # type: ignore[arg-type]
    assert found
    assert len(found["thumbnails"]) == THUMBNAILS - 1
    assert "1.JPEG" not in found["thumbnails"]
    assert len(found["networks"][0]["disagreements"]) == THUMBNAILS + 5
    assert found["limits"] == ["On ImageNet mobile-224 was evaluated on 64 of 50,000 images"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_without_an_evaluated_network_there_is_none() -> None:
    assert evaluation(Evaluated(0)) is None  # type: ignore[arg-type]


def test_a_thumbnail_is_small(tmp_path: Path) -> None:
    """And there is none of a file that is no image."""
    image = Image.open(io.BytesIO(base64.b64decode(thumbnail_of(PHOTOGRAPHS / "coffee.jpg"))))
    assert max(image.size) == THUMBNAIL
    (tmp_path / "text.jpg").write_text("no image")
    assert thumbnail_of(tmp_path / "text.jpg") == thumbnail_of(tmp_path / "missing.jpg") == ""


@pytest.mark.parametrize(("value", "expected"), [((1, 2.5), [1, 2.5]), ({"a": float("nan")}, {"a": "nan"}), ("x", "x")])
def test_plain_data(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_the_table_of_faults_is_there_or_not(tmp_path: Path) -> None:
    found = faults()
    assert found
    assert found["checks"][0]["name"] == "these gates"
    assert sum(row["trials"] for row in found["faults"]) == found["trials"]
    assert faults(tmp_path / "faults.json") is None
