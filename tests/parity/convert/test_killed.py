"""A conversion that is killed while it writes leaves what was there, and the next one is not in its way."""

import subprocess
import sys
import time
from pathlib import Path

from pnasnet_torch.source import Weights, read_weights

ROOT = Path(__file__).parents[3]


def test_the_old_file_stays_and_the_next_conversion_replaces_it(
    synthetic: Path, weights: Weights, tmp_path: Path
) -> None:
    target = tmp_path / "weights.h5"
    target.write_bytes(b"old")
    command = [sys.executable, "-m", "parity.convert", str(synthetic), str(target), "--force"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    # Killed as soon as the file is there: it takes longer to be written than to be seen.
    while not list(tmp_path.glob(".*.partial/weights.h5")):
        assert process.poll() is None, "it ended before it wrote"
        time.sleep(0.001)
    process.kill()
    assert process.wait() < 0, "it ended before it was killed"
    assert target.read_bytes() == b"old"
    subprocess.run(command, stdout=subprocess.DEVNULL, cwd=ROOT, check=True)
    assert read_weights(target).state.keys() == weights.state.keys()
