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
    "align": ("parity.candidate.alignment.__main__", "find out which modules of a model are which official layers"),
    "trace": ("parity.reference.trace.__main__", "show, check and compare what --record wrote"),
    "report": ("parity.report.__main__", "make report.html again, of a report.json; compare two runs"),
    "golden": ("parity.reference.golden.__main__", "make the golden digests anew from the official source"),
    "faults": ("parity.faults.__main__", "plant every fault of the catalogue, and see what the gates make of each"),
    "training-faults": ("parity.faults.training.__main__", "the same for faults of training"),
}


def usage() -> str:
    """Return the text of `pnasnet-parity --help`: all commands, and what each does."""
    width = max(map(len, COMMANDS))
    lines = [
        f"usage: {PROG} COMMAND [ARGUMENT ...]",
        "",
        f"{PROG} COMMAND --help explains a command. Layers are compared by",
        "`pytest parity`, and ImageNet evaluated by `pytest --full-imagenet`.",
        "",
    ]
    lines += [f"  {name:{width}}  {description}" for name, (_module, description) in COMMANDS.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments (default: the process's) name, and return its exit code."""
    return run(_main, PROG, arguments)


def _main(arguments: Sequence[str] | None) -> int:
    """Run the command that the arguments (default: the process's) name, and return its exit code.

    Where they name none, what is wrong is printed, and USAGE_ERROR returned.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words and words[0] in ("-h", "--help"):
        print(usage())
        return 0
    problem = ""
    if not words:
        problem = "no command was given"
    elif words[0] not in COMMANDS:
        problem = f"there is no command {words[0]!r}"
    if problem:
        print(f"{PROG}: {problem}: expected {', '.join(COMMANDS)}", file=sys.stderr)
        return USAGE_ERROR
    name, *command_arguments = words
    module, _description = COMMANDS[name]
    # Imported only now: most commands bring in a framework, which takes seconds, or is not installed.
    return run(importlib.import_module(module).main, f"{PROG} {name}", command_arguments)


if __name__ == "__main__":
    sys.exit(main())
