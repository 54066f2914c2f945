"""One command for all that is no test."""

import importlib
import sys
from collections.abc import Sequence

from parity.core.command import USAGE_ERROR, run

PROG = "pnasnet-parity"
# Each command's module, and what it does.
COMMANDS = {
    "convert": ("parity.convert.__main__", "weights from any file to any other: TensorFlow's, PyTorch's, five namings"),
    "imagenet": (
        "parity.imagenet.__main__",
        "the evaluation on several machines, their results merged, a small sample",
    ),
    "trace": ("parity.reference.trace.__main__", "show, check and compare what --record wrote"),
    "report": ("parity.report.__main__", "make report.html again, of a report.json"),
    "golden": ("parity.reference.golden.__main__", "make the golden digests anew from the official source"),
    "faults": ("parity.faults.__main__", "plant every fault of the catalogue, and see what the gates make of each"),
    "training-faults": ("parity.faults.training.__main__", "the same for faults of training"),
}


def usage() -> str:
    """Say what there is."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    head = f"usage: {PROG} COMMAND [ARGUMENT ...]\n\n{PROG} COMMAND --help explains a command. Layers are compared by\n"
    return f"{head}`pytest parity`, and ImageNet evaluated by `pytest --full-imagenet`.\n\n" + "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and given[0] in ("-h", "--help"):
        print(usage())
        return 0
    if not given or given[0] not in COMMANDS:
        said = f"there is no command {given[0]!r}" if given else "no command was given"
        print(f"{PROG}: {said}: expected {', '.join(COMMANDS)}", file=sys.stderr)
        return USAGE_ERROR
    name, *rest = given
    return run(importlib.import_module(COMMANDS[name][0]).main, f"{PROG} {name}", rest)


if __name__ == "__main__":
    sys.exit(main())
