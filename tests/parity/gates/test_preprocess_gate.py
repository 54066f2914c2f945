"""The gate of what enters the network: it passes on the photographs, and a single wrong bit fails it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from parity.core import compare
from parity.core.layers import Network
from parity.core.specification import PHOTOGRAPHS
from parity.reference.live import LiveReference
from parity.session.options import Options
from parity.session.session import ParitySession
from pnasnet_torch import preprocess
from pnasnet_torch.decode import decode

NETWORK = Network("mobile", 64, 96)
DECODED = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
PIXELS = np.linspace(-1, 1, 60, dtype=np.float32).reshape(1, 4, 5, 3)


def options(*images: Path) -> Options:
    return Options((NETWORK,), None, images, ("official",), 0, 1)


def judge(chosen: Options, name: str) -> str:
    session = ParitySession(chosen, {("preprocess", NETWORK): frozenset([name])}, LiveReference(chosen))
    return str(session.result("preprocess", NETWORK, name))


def test_a_photograph_passes() -> None:
    assert "chelsea.jpg passes the preprocess gate (mobile-64x96)" in judge(options(), "chelsea.jpg")


def test_another_decoder_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The accurate DCT is a good decoder, and not TensorFlow's default one."""
    monkeypatch.setattr("parity.gates.preprocess.decode", lambda content: decode(content, accurate_dct=True))
    said = judge(options(), "chelsea.jpg")
    assert "chelsea.jpg fails the preprocess gate" in said
    assert "decoded values that differ: measured 0," not in said


def test_another_scale_fails_where_the_decoders_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocess, "SCALE", np.nextafter(preprocess.SCALE, np.float32(1)))
    said = judge(options(), "chelsea.jpg")
    assert "decoded values that differ: measured 0, allowed 0 (ok)" in said
    assert "chelsea.jpg fails the preprocess gate" in said
    assert "worst element [0, " in said


def test_an_image_that_the_port_refuses_and_tensorflow_takes_fails(tmp_path: Path) -> None:
    Image.open(PHOTOGRAPHS / "chelsea.jpg").save(tmp_path / "photo.png", "GIF")
    said = judge(options(tmp_path / "photo.png"), "photo.png")
    assert "the port refuses an image that TensorFlow takes" in said


def test_one_bit_fails() -> None:
    assert compare.preprocess("mobile-224", "a", (DECODED, PIXELS), (DECODED, PIXELS.copy()))
    wrong = PIXELS.copy()
    wrong[0, 2, 3, 1] = np.nextafter(wrong[0, 2, 3, 1], np.float32(2))
    result = compare.preprocess("mobile-224", "a", (DECODED, wrong), (DECODED, PIXELS))
    assert not result
    assert result.element
    assert result.element.index == (0, 2, 3, 1)


def test_another_shape_fails() -> None:
    result = compare.preprocess("mobile-224", "a", (DECODED[:3], PIXELS), (DECODED, PIXELS))
    assert "decoded: the candidate has uint8 (3, 5, 3), TensorFlow uint8 (4, 5, 3)" in str(result)


def test_images_of_one_name_are_named_by_their_paths(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "photo.jpg" for folder in ("a", "b")]
    assert list(options(*paths).preprocessed) == list(map(str, paths))
    assert list(options(paths[0]).preprocessed) == ["photo.jpg"]
    assert len(options().preprocessed) == 4
