"""A checkpoint of Mobile that can be trained from, and a small folder of photographs."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from photographs import batch, own_photographs
from pnasnet_torch import pnasnet_mobile, save_weights
from pnasnet_torch.operations import BatchNorm


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Maps of a few pixels are slower on several threads; and the examples set the number for the whole process."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights; the batch norms have the statistics of photographs, so that values keep their scale."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = pnasnet_mobile()
        for module in model.modules():
            if isinstance(module, BatchNorm):
                module.momentum = 1
        model(batch([image for image, _ in own_photographs(0).training], 65, 1.0))
    path = tmp_path_factory.mktemp("weights") / "mobile.safetensors"
    save_weights(model, path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of five photographs each, small ones."""
    for label, name in enumerate(("cat", "cup")):
        (tmp_path / "photographs" / name).mkdir(parents=True)
        left = [image for image, found in own_photographs(0).held_out if found == label + 1]
        for number in range(5):
            Image.fromarray(left[number].copy()).save(tmp_path / "photographs" / name / f"{number}.png")
    return tmp_path / "photographs"
