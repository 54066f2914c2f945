"""Tells what is in photographs: python -m pnasnet_torch classify IMAGE... --weights PATH

Google's released weights are taken as they are downloaded:
  https://storage.googleapis.com/download.tensorflow.org/models/pnasnet-5_large_2017_12_13.tar.gz
  https://storage.googleapis.com/download.tensorflow.org/models/pnasnet-5_mobile_2017_12_13.tar.gz
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from pnasnet_torch.decode import ImageError
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.genotype import minimum_size
from pnasnet_torch.pretrained import Pretrained, load

PROG = "python -m pnasnet_torch"


def classify(pretrained: Pretrained, names: Sequence[str], image: Path, top: int) -> list[str]:
    """The file's name and a line for each of its most probable classes. Raises ImageError for a bad image."""
    model, preprocess = pretrained
    with torch.inference_mode():
        probabilities = model.predict(preprocess(image))[0]
    best = torch.topk(probabilities, min(top, len(names)))
    pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [str(image), *(f"  {probability:7.2%}  {names[number]}" for probability, number in pairs)]


def run(options: argparse.Namespace) -> int:
    """Prints each image's classes; 1 if one could not be classified."""
    pretrained, names = load(options.weights)
    if options.image_size:
        least = max(minimum_size(pretrained.model.config))
        if options.image_size < least:
            raise WeightsError(f"--image-size {options.image_size}: this network needs at least {least} pixels")
        size = (options.image_size, options.image_size)
        pretrained = pretrained._replace(preprocess=replace(pretrained.preprocess, image_size=size))
    failed = 0
    for image in options.images:
        try:
            print(*classify(pretrained, names, image, options.top), sep="\n", flush=True)
        except ImageError as error:
            print(f"{PROG}: {error}", file=sys.stderr)
            failed = 1
    return failed


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=PROG, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser(
        "classify",
        help="print the most probable classes of images",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="a JPEG or PNG file")
    one.add_argument("--weights", type=Path, metavar="PATH", help="an archive, a checkpoint, a file, or a folder")
    one.add_argument("--top", type=_positive, default=5, metavar="N", help="how many classes (default: 5)")
    one.add_argument(
        "--image-size", type=_positive, metavar="N", help="pixels (default: what the network had in training)"
    )
    return made


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0, 1 for weights or images that cannot be used, 2 for a command that is none."""
    made = parser()
    options = made.parse_args(arguments)
    if options.weights is None:
        released = "\n".join(line.strip() for line in (__doc__ or "").splitlines() if "https://" in line)
        made.error(f"--weights PATH is needed. Google's released weights are at\n{released}")
    try:
        return run(options)
    except WeightsError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
