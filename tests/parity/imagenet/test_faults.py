"""A faulty port is found by the evaluation, and the small set is what it is meant to be."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from parity.core.layers import Network
from parity.imagenet import sample
from parity.imagenet.evaluate import Evaluation
from parity.imagenet.models import OfficialSide, PortSide
from parity.imagenet.options import OPTIONS, parse_settings
from parity.imagenet.progress import shown
from parity.imagenet.report import table
from parity.imagenet.sample import FITTED_PER_CLASS, sample_images, write_fitted_checkpoint
from parity.imagenet.summary import Summary
from parity.imagenet.writers import write_class_folders
from pnasnet_torch.decode import decode
from tf_reference import checkpoint
from tf_reference.errors import InputError
from tf_reference.official import Source

# At a size whose graphs other tests need, too.
SMALL = Network("mobile", 65, 65)
Evaluate = Callable[..., Summary]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 images, one of each class."""
    made = tmp_path_factory.mktemp("faults") / "val"
    write_class_folders(made, sample_images(per_class=1))
    return made


@pytest.fixture
def evaluate(folder: Path, synthetic: Path, tmp_path: Path) -> Evaluate:
    """Evaluates both models at 65 pixels, in this process."""

    def evaluated(**options: object) -> Summary:
        given: dict[str, object] = {name.replace("-", "_"): more.get("default") for name, more in OPTIONS.items()}
        given |= {"imagenet": str(folder), "checkpoint": str(synthetic), "image_size": ["65"], "partial": True}
        given |= {"reference": "official", "output": str(tmp_path / "out"), "threads": 1}
        evaluation = Evaluation(parse_settings((given | options).get))
        evaluation.run(SMALL, lambda meter: shown(meter, None))
        return evaluation.summary(SMALL)

    return evaluated


class Kept(OfficialSide):
    """The official network, which stays open when one evaluation ends."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def official_sides() -> Iterator[dict[str, Kept]]:
    """Hold the official network by dtype, and close it at the end of the module."""
    sides: dict[str, Kept] = {}
    yield sides
    for side in sides.values():
        OfficialSide.close(side)


@pytest.fixture
def official_once(official_sides: dict[str, Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    """Load the official network once a dtype for all tests with the synthetic checkpoint: that takes longest."""

    def load(
        source: Source, network: Network, variables: Mapping[str, np.ndarray], threads: int, dtype: str = "float32"
    ) -> Kept:
        if dtype not in official_sides:
            official_sides[dtype] = Kept(source, network, variables, threads, dtype)
        return official_sides[dtype]

    monkeypatch.setattr("parity.imagenet.models.OfficialSide", load)


@pytest.mark.usefixtures("official_once")
def test_the_port_as_it_is_passes(evaluate: Evaluate) -> None:
    found = evaluate(limit=8)
    assert found.result(), found.result()
    assert found.evaluated == 8
    assert len(found.official_errors) == 2
    assert "PyTorch port" in table([found])


def other_epsilon(port: PortSide) -> None:
    """PyTorch's own default for batch norms."""
    port._model.conv0_bn.eps = 1e-5


def shifted(port: PortSide) -> None:
    """By one pixel, as padding on the wrong side does."""
    port._model.register_forward_pre_hook(lambda _module, images: (images[0].roll(1, 3),))


def broken_weight(port: PortSide) -> None:
    """One value of the last layer."""
    port._model.final_layer.get_parameter("FC.weight").data[7, 5] += 1


@pytest.mark.usefixtures("official_once")
@pytest.mark.parametrize("fault", [other_epsilon, shifted, broken_weight])
def test_a_faulty_port_fails(
    evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch, fault: Callable[[PortSide], None]
) -> None:
    """Also where not one answer flips: the logits tell."""

    class Faulty(PortSide):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            fault(self)

    monkeypatch.setattr("parity.imagenet.models.PortSide", Faulty)
    result = evaluate(limit=8).result()
    assert not result
    assert "largest logit difference" in str(result)
    assert result.margin > 10, result


@pytest.mark.usefixtures("official_once")
def test_logits_that_are_not_finite_are_failures(evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = PortSide.logits

    def spoilt(self: PortSide, pixels_nhwc: np.ndarray) -> np.ndarray:
        found = logits(self, pixels_nhwc)
        found[min(1, len(found) - 1), 3] = np.nan
        return found

    monkeypatch.setattr(PortSide, "logits", spoilt)
    found = evaluate(limit=8)
    assert (found.evaluated, len(found.failures)) == (7, 1)
    assert found.failures[0].problem == "port: the logit of class 3 is nan"
    assert not found.result()


def test_weights_that_do_not_fit_are_named_and_leave_nothing(
    evaluate: Evaluate, synthetic: Path, tmp_path: Path
) -> None:
    """So that the mended checkpoint is not taken for another one's continuation."""
    variables = checkpoint.read(synthetic)
    variables["cell_5/1x1/weights"][0, 0, 3, 7] = np.nan
    checkpoint.write(tmp_path / "broken.ckpt", variables)
    for sides in ("both", "torch"):
        with pytest.raises(
            InputError, match=r"broken\.ckpt, .* do not fit(.|\n)*cell_5/1x1/weights: nan at \(0, 0, 3, 7\)"
        ):
            evaluate(checkpoint=str(tmp_path / "broken.ckpt"), sides=sides)
    assert not (tmp_path / "out").exists()


def test_the_small_set_has_images_of_every_kind() -> None:
    images = sample_images(per_class=18)
    contents = [content for _, _, content in images]
    jpegs = [content for content in contents if content.startswith(b"\xff\xd8")]
    assert len(jpegs) >= 400
    assert len({wnid for _, wnid, _ in images}) == 24
    assert len(set(contents)) == len(contents) == 432
    assert sum(b"\xff\xc2" in content for content in jpegs) >= 40  # progressive
    assert sum(b"Exif" in content for content in jpegs) >= 20
    assert {decode(content).shape[2] for content in contents[:36]} == {3}
    assert sample_images(per_class=1) != sample_images(per_class=1, seed=1)


@pytest.mark.parametrize(("fitted", "tried"), [(3, 2), pytest.param(FITTED_PER_CLASS, 5, marks=pytest.mark.slow)])
def test_a_fitted_checkpoint_knows_the_classes_not_too_well(
    fitted: int, tried: int, evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Top-1 clearly between chance and 1, and top-5 above it, on pictures that it was not fitted to."""
    monkeypatch.setattr(sample, "FITTED_PER_CLASS", fitted)
    write_class_folders(tmp_path / "val", sample_images(per_class=tried))
    write_fitted_checkpoint(tmp_path / "mobile.ckpt", SMALL)
    options = {"imagenet": str(tmp_path / "val"), "checkpoint": str(tmp_path / "mobile.ckpt")}
    found = evaluate(**options, sides="torch")
    top_1, top_5 = (found.accuracy("port", rank).share for rank in (1, 5))
    assert 3 / 24 < top_1 < 0.9, (top_1, top_5)
    assert top_1 < top_5, (top_1, top_5)
