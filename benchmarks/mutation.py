"""How many of the faults planted in a module the tests notice. Fails where they notice fewer than 90 %.

mutmut plants them in a copy of the sources (mutants/), as pyproject.toml says. Usage, in the checkout, some minutes:
python benchmarks/mutation.py
"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

LEAST = 0.9
MUTMUT = [sys.executable, "-m", "mutmut"]


def modules() -> list[str]:
    """The names of those that pyproject.toml lists."""
    paths = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutmut"]["only_mutate"]
    return [path.removesuffix(".py").replace("/", ".") for path in paths]


def outcomes() -> dict[str, str]:
    """What became of each mutant, by its name."""
    listing = subprocess.run([*MUTMUT, "results", "--all", "true"], check=True, stdout=subprocess.PIPE, text=True)
    return dict(line.strip().split(": ") for line in listing.stdout.splitlines())


def main() -> None:
    shutil.rmtree("mutants", ignore_errors=True)  # what was found with other tests
    output = None if sys.stdout.isatty() else subprocess.PIPE  # its spinner fills a log with thousands of lines
    run = subprocess.run([*MUTMUT, "run"], stdout=output, text=True)
    if run.returncode:
        sys.exit(run.stdout or run.returncode)
    found, scores = outcomes(), []
    for module in modules():
        mutants = [name for name in found if name.startswith(f"{module}.")]
        missed = [name for name in mutants if found[name] != "killed"]
        scores.append(1 - len(missed) / len(mutants) if mutants else 0.0)
        print(f"{module}: {len(mutants) - len(missed)} of {len(mutants)} noticed, {scores[-1]:.1%}")
        for name in missed:
            print(f"  {name}: {found[name]}")
    sys.exit(min(scores) < LEAST)


if __name__ == "__main__":
    main()
