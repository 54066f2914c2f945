"""Tells what is in photographs: python -m pnasnet_torch classify IMAGE... --weights PATH

Google's released weights are taken as they are downloaded:
  https://storage.googleapis.com/download.tensorflow.org/models/pnasnet-5_large_2017_12_13.tar.gz
  https://storage.googleapis.com/download.tensorflow.org/models/pnasnet-5_mobile_2017_12_13.tar.gz
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from pnasnet_torch.decode import ImageError
from pnasnet_torch.errors import WeightsError
from pnasnet_torch.genotype import minimum_size
from pnasnet_torch.pretrained import Pretrained, load
from pnasnet_torch.selection import WHICH

PROG = "python -m pnasnet_torch"
# What shells report of a process that Ctrl-C ended.
STOPPED = 130


def classify(pretrained: Pretrained, names: Sequence[str], image: Path, top: int) -> list[str]:
    """Return the file's name and a line for each of its most probable classes, `top` at most, the first one first.

    Raise ImageError for an image that is not sound.
    """
    model, preprocess = pretrained
    with torch.inference_mode():
        probabilities = model.predict(preprocess(image))[0]
    best = torch.topk(probabilities, min(top, len(names)))
    lines = [str(image)]
    for probability, number in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        lines.append(f"  {probability:7.2%}  {names[number]}")
    return lines


def run(options: argparse.Namespace) -> int:
    """Print each image's classes, and return the exit code: 1 if an image could not be classified, else 0.

    Raise WeightsError for weights that cannot be used, or an image size that is too small for their network.
    """
    pretrained, names = load(options.weights, which=options.which)
    if options.image_size:
        least = max(minimum_size(pretrained.model.config))
        if options.image_size < least:
            raise WeightsError(f"--image-size {options.image_size}: this network needs at least {least} pixels")
        size = (options.image_size, options.image_size)
        pretrained = pretrained._replace(preprocess=replace(pretrained.preprocess, image_size=size))
    failed = 0
    for image in options.images:
        try:
            lines = classify(pretrained, names, image, options.top)
            print("\n".join(lines), flush=True)
        # The other images are classified all the same.
        except ImageError as error:
            print(f"{PROG}: {error}", file=sys.stderr)
            failed = 1
    return failed


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    program = argparse.ArgumentParser(
        prog=PROG, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = program.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "classify",
        help="print the most probable classes of images",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="a JPEG or PNG file")
    # Not required here, so that `main` can say where Google's are.
    command.add_argument("--weights", type=Path, metavar="PATH", help="an archive, a checkpoint, a file, or a folder")
    command.add_argument("--which", metavar="WHICH", help=WHICH)
    command.add_argument("--top", type=_positive, default=5, metavar="N", help="how many classes (default: 5)")
    command.add_argument(
        "--image-size", type=_positive, metavar="N", help="pixels (default: what the network had in training)"
    )
    return program


def _positive(text: str) -> int:
    """Return the number in an argument. Raise ValueError, which argparse explains, unless it is at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return the exit code: 0, or 1 for weights or images that cannot be used, or 130 for a stop.

    A command that is none ends the program with 2.
    """
    # A name that the terminal has no letters for is shown by their numbers.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    program = parser()
    options = program.parse_args(arguments)
    if options.weights is None:
        released = "\n".join(line.strip() for line in (__doc__ or "").splitlines() if "https://" in line)
        program.error(f"--weights PATH is needed. Google's released weights are at\n{released}")
    try:
        return run(options)
    except WeightsError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Nobody reads on, as behind `| head`; what is left is given up, which Python would write at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED
    except KeyboardInterrupt:
        print(f"{PROG}: stopped", file=sys.stderr)
        return STOPPED


if __name__ == "__main__":
    sys.exit(main())
