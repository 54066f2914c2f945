"""The ImageNet evaluation of both models outside of pytest: on several machines, and merging what they did.

pnasnet-parity imagenet evaluate --imagenet PATH --checkpoint PATH
torchrun --nnodes 2 --nproc-per-node 8 ... -m parity.imagenet evaluate --imagenet PATH --checkpoint PATH
pnasnet-parity imagenet report DIR [DIR ...]
pnasnet-parity imagenet sample DIR
"""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from parity.core.command import FAILED, STOPPED, USAGE_ERROR, Parser, run
from parity.core.errors import InputError
from parity.imagenet.options import OPTIONS, Expectation, add_options, expectation, parse_settings, published
from parity.imagenet.progress import shown
from parity.imagenet.report import RESULT, merge, networks_in, table, write_figures
from parity.imagenet.sample import make_sample
from parity.imagenet.summary import Summary
from pnasnet_torch.genotype import VARIANTS
from pnasnet_torch.selection import WHICH

PROG = "pnasnet-parity imagenet"
# For each command, what the list of commands says of it, and what its own --help begins with.
EVALUATE = (
    "evaluate the models; run again, it continues",
    "Evaluates this worker's part; a worker that is alone also reports.",
)
REPORT = ("merge what workers did, and judge it", "Merges the workers' files in all folders.")
SAMPLE = (
    "make a small set and checkpoints for it",
    "Makes a small set of photographs in all four layouts, DIR/val among them, and DIR/VARIANT.ckpt fitted to it.",
)


def evaluate(arguments: argparse.Namespace) -> int:
    """Evaluate this worker's part, and return the exit code; a worker that is alone also reports."""
    # Imported only now: PyTorch takes seconds, in which Ctrl-C is to be heard as later.
    from parity.imagenet.evaluate import Evaluation

    settings = parse_settings(vars(arguments).get)
    evaluation = Evaluation(settings)
    print(*evaluation.header(), sep="\n", flush=True)
    # Several workers, which may share a terminal, log lines instead of drawing a bar each.
    terminal = sys.stderr if evaluation.world == 1 else None
    for network in settings.networks:
        evaluation.run(network, lambda meter: shown(meter, terminal))
    if evaluation.world > 1:
        evaluated = {str(network): evaluation.done(network) for network in settings.networks}
        counts = ", ".join(f"{network}: {count:,} images" for network, count in evaluated.items())
        print(f"worker {evaluation.rank} of {evaluation.world} is done ({counts}); once all are, merge their files:")
        print(f"  pnasnet-parity imagenet report {settings.output}")
        # A worker that could evaluate none of its images has not done well.
        return 0 if all(evaluated.values()) else FAILED
    summaries = [evaluation.summary(network) for network in settings.networks]
    return _conclude(summaries, settings.expect, settings.output / RESULT)


def report(arguments: argparse.Namespace) -> int:
    """Merge the workers' files in all folders, judge each network, and return the exit code."""
    files_by_network = networks_in(arguments.folders)
    summaries = [merge(files) for files in files_by_network.values()]
    return _conclude(summaries, expectation(arguments.expect), arguments.folders[0] / RESULT)


def _conclude(summaries: Sequence[Summary], expect: Expectation | None, target: Path) -> int:
    """Print the table and each network's result, write `target` as JSON, and return the exit code."""
    expected = published(expect, [summary.network for summary in summaries])
    results = [summary.result(expected[summary.network]) for summary in summaries]
    print(table(summaries), *results, sep="\n")
    try:
        write_figures(summaries, expected, target)
    except InputError as error:
        # Neither the table nor the verdict depends on it; but who asked for the file has it not.
        print(f"{PROG}: {error}", file=sys.stderr)
        return USAGE_ERROR if all(results) else FAILED
    print(f"all figures and every disagreeing image: {target}")
    return 0 if all(results) else FAILED


def sample(arguments: argparse.Namespace) -> int:
    """Make a small set of photographs in all four layouts, and a checkpoint fitted to it for each variant."""
    make_sample(arguments.folder, arguments.variant or list(VARIANTS))
    return 0


def parser() -> Parser:
    """Return the parser of all three commands; what it parses has the command's function as `run`."""
    whole = Parser(PROG, __doc__)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    def add_command(function: Callable[[argparse.Namespace], int], texts: tuple[str, str]) -> argparse.ArgumentParser:
        command = commands.add_parser(function.__name__, help=texts[0], description=texts[1])
        command.set_defaults(run=function)
        return command

    _add_evaluate_options(add_command(evaluate, EVALUATE))
    report_parser = add_command(report, REPORT)
    report_parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="output folders, of one or several machines"
    )
    report_parser.add_argument("--expect", **OPTIONS["expect"])
    sample_parser = add_command(sample, SAMPLE)
    sample_parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    sample_parser.add_argument("--variant", action="append", choices=tuple(VARIANTS), help="repeatable (default: both)")
    return whole


def _add_evaluate_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `evaluate`: those that `pytest parity` has as well, and those of the evaluation."""
    parser.add_argument(
        "--checkpoint", metavar="PATH", help="the weights: a checkpoint, a file, an archive or a folder"
    )
    parser.add_argument("--weights", metavar="WHICH", help=WHICH)
    parser.add_argument("--image-size", action="append", metavar="SIZE", help="as 331; repeatable (large: 331 and 323)")
    parser.add_argument(
        "--reference", default="official", metavar="SOURCE", help="official (default), slim:PATH or pnasnet-tf:PATH"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="of all workers on this machine (default: all cores)")
    add_options(parser.add_argument)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments (default: the process's) ask for, and return its exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        code: int = options.run(options)
    except KeyboardInterrupt:
        if options.run is not evaluate:
            raise
        # Every batch that is done was stored as a whole, so that nothing needs to be saved here.
        print("stopped; what is done is stored, and the same command continues", file=sys.stderr)
        return STOPPED
    return code


if __name__ == "__main__":
    sys.exit(run(main, PROG))
