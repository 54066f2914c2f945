"""Writes down what a model's operations tell of it: an adapter, to be read, corrected and kept.

pnasnet-parity align MODULE:CALLABLE > mine.toml
"""

import argparse
import sys
from collections.abc import Sequence

from parity.candidate.adapter import Adapter
from parity.candidate.adapting import alignment_of
from parity.candidate.making import Maker
from parity.core.command import Parser, run
from parity.core.pinning import Pins
from parity.core.words import few
from pnasnet_torch.naming import OURS

PROG = "pnasnet-parity align"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments. Exit where they cannot be used."""
    parser = Parser(PROG, __doc__)
    parser.add_argument("model", metavar="MODULE:CALLABLE", help="a function without arguments that gives a PNASNet-5")
    parser.add_argument("--image-size", metavar="SIZE", help="as 331 (default: the variant's own)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the adapter, and say on standard error what was found; return the exit code."""
    given = parse(arguments)
    pins = Pins()
    model = Maker(Adapter(OURS, given.model), pins).make("float32")
    found = alignment_of(model, given.model, pins, given.image_size)
    print(found.toml(), end="")
    count = len(found.modules) + len(found.functions) + len(found.reasons)
    functions = f", and {len(found.functions):,} of functions" if found.functions else ""
    print(
        f"{len(found.modules):,} of {count:,} layers of {found.variant} are outputs of modules{functions}",
        file=sys.stderr,
    )
    for reason in dict.fromkeys(found.reasons.values()):
        layers = [layer for layer, its_reason in found.reasons.items() if its_reason == reason]
        print(f"  {reason}: {few(layers)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(run(main, PROG))
