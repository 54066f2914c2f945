"""The ImageNet evaluation of both models outside of pytest: on several machines, and merging what they did.

  python -m parity.imagenet evaluate --imagenet PATH --checkpoint PREFIX
  torchrun --nnodes 2 --nproc-per-node 8 ... -m parity.imagenet evaluate --imagenet PATH --checkpoint PREFIX
  python -m parity.imagenet report DIR [DIR ...]
  python -m parity.imagenet sample DIR
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from parity.imagenet.evaluate import Evaluation
from parity.imagenet.options import add_options, expectation, parse_settings
from parity.imagenet.progress import shown
from parity.imagenet.report import RESULT, merge, networks_in, table, write_json
from parity.imagenet.sample import make_sample
from pnasnet_torch.genotype import VARIANTS
from tf_reference.errors import InputError

# pytest's codes.
FAILED, USAGE_ERROR = 1, 4


def evaluate(arguments: argparse.Namespace) -> int:
    """Evaluates this worker's part; alone, it also reports."""
    settings = parse_settings(vars(arguments).get, threads=arguments.threads)
    evaluation = Evaluation(settings)
    for network in settings.networks:
        evaluation.run(network, lambda meter: shown(meter, sys.stderr if evaluation.world == 1 else None))
    if evaluation.world > 1:
        print(f"worker {evaluation.rank} of {evaluation.world} is done: once all are, merge their files with")
        print(f"  python -m parity.imagenet report {settings.output}")
        return 0
    arguments.folders = [settings.output]
    return report(arguments)


def report(arguments: argparse.Namespace) -> int:
    """Merges the workers' files in all folders; prints the table and each network's verdict."""
    expect = expectation(arguments.expect)
    summaries = [merge(files) for files in networks_in(arguments.folders).values()]
    results = [(summary, expect if summary.is_published_size or len(summaries) == 1 else None) for summary in summaries]
    print(table(summaries))
    for summary, published in results:
        print(summary.result(published))
    target = arguments.folders[0] / RESULT
    write_json(target, results)
    print(f"all figures and every disagreeing image: {target}")
    return 0 if all(summary.result(published) for summary, published in results) else FAILED
