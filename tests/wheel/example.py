"""The example of a port of one's own, as whoever copies it runs it: `tox run -e example`, where PyTorch alone is.

It passes, and with a fault planted in it the layer at fault is named. Prints what each run takes, and exits with 1 at
the first that does not do what it should.
"""

import shutil
import tempfile
from pathlib import Path

from check import Check

EXAMPLE = Path(__file__).parents[2] / "examples/own_port"
SOUND, FAULTY = "sides += [total // 2, total - total // 2]", "sides += [total - total // 2, total // 2]"
CULPRIT = r"cell_stem_0\.comb_iter_0\.left\.separable_5x5_1\.depthwise: not replayed"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "own_port"
        shutil.copytree(EXAMPLE, folder)
        check = Check(folder)
        has_tensorflow = "import importlib.util; print(importlib.util.find_spec('tensorflow'))"
        check.run(("python", "-c", has_tensorflow), 0, "None")
        check.run(("pytest",), 0, "2 passed")
        model = folder / "own_port/model.py"
        text = model.read_text()
        assert text.count(SOUND) == 1
        model.write_text(text.replace(SOUND, FAULTY))
        check.run(("pytest",), 1, CULPRIT, "2 failed")
    print("the example does all that")


if __name__ == "__main__":
    main()
