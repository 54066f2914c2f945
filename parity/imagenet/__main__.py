"""The ImageNet evaluation of both models outside of pytest: on several machines, and merging what they did.

pnasnet-parity imagenet evaluate --imagenet PATH --checkpoint PREFIX
torchrun --nnodes 2 --nproc-per-node 8 ... -m parity.imagenet evaluate --imagenet PATH --checkpoint PREFIX
pnasnet-parity imagenet report DIR [DIR ...]
pnasnet-parity imagenet sample DIR
"""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from parity.core.command import FAILED, STOPPED, Parser, run
from parity.imagenet.evaluate import Evaluation
from parity.imagenet.options import OPTIONS, Expectation, add_options, expectation, parse_settings, published
from parity.imagenet.progress import shown
from parity.imagenet.report import RESULT, conclude, merge, networks_in, table
from parity.imagenet.sample import make_sample
from parity.imagenet.summary import Summary
from pnasnet_torch.genotype import VARIANTS

PROG = "pnasnet-parity imagenet"


def evaluate(arguments: argparse.Namespace) -> int:
    """Evaluates this worker's part; a worker that is alone also reports."""
    settings = parse_settings(vars(arguments).get)
    evaluation = Evaluation(settings)
    print(*evaluation.header(), sep="\n", flush=True)
    for network in settings.networks:
        evaluation.run(network, lambda meter: shown(meter, sys.stderr if evaluation.world == 1 else None))
    if evaluation.world > 1:
        print(f"worker {evaluation.rank} of {evaluation.world} is done; once all are, merge their files:")
        print(f"  pnasnet-parity imagenet report {settings.output}")
        return 0
    summaries = [evaluation.summary(network) for network in settings.networks]
    return _conclude(summaries, settings.expect, settings.output / RESULT)


def report(arguments: argparse.Namespace) -> int:
    """Merges the workers' files in all folders."""
    summaries = [merge(files) for files in networks_in(arguments.folders).values()]
    return _conclude(summaries, expectation(arguments.expect), arguments.folders[0] / RESULT)


def _conclude(summaries: Sequence[Summary], expect: Expectation | None, target: Path) -> int:
    results = conclude(summaries, published(expect, [summary.network for summary in summaries]), target)
    print(table(summaries), *results, f"all figures and every disagreeing image: {target}", sep="\n")
    return 0 if all(results) else FAILED


def sample(arguments: argparse.Namespace) -> int:
    """Makes a small set of photographs in all four layouts, DIR/val among them, and DIR/VARIANT.ckpt fitted to it."""
    make_sample(arguments.folder, arguments.variant or list(VARIANTS))
    return 0


def parser() -> Parser:
    made = Parser(PROG, __doc__)
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(run.__name__, help=text, description=run.__doc__)
        added.set_defaults(run=run)
        return added

    one = command(evaluate, "evaluate the models; run again, it continues")
    one.add_argument("--checkpoint", metavar="PREFIX", help="the released weights in TensorFlow's format")
    one.add_argument("--image-size", action="append", metavar="SIZE", help="as 331; repeatable (large: 331 and 323)")
    one.add_argument(
        "--reference", default="official", metavar="SOURCE", help="official (default), slim:PATH or pnasnet-tf:PATH"
    )
    one.add_argument("--threads", type=int, metavar="N", help="of all workers on this machine (default: all cores)")
    add_options(one.add_argument)
    two = command(report, "merge what workers did, and judge it")
    two.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="output folders, of one or several machines")
    two.add_argument("--expect", **OPTIONS["expect"])
    three = command(sample, "make a small set and checkpoints for it")
    three.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    three.add_argument("--variant", action="append", choices=tuple(VARIANTS), help="repeatable (default: both)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        code: int = options.run(options)
    except KeyboardInterrupt:
        print("stopped; what is done is stored, and the same command continues", file=sys.stderr)
        return STOPPED
    return code


if __name__ == "__main__":
    sys.exit(run(main, PROG))
