"""Converts a TensorFlow checkpoint of PNASNet-5 to a file that PyTorch reads: pnasnet-convert PREFIX TARGET."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from pnasnet_torch.genotype import variant
from pnasnet_torch.weights import FORMATS, WeightsError, from_tf_variables, save_weights, variant_of
from tf_reference import checkpoint
from tf_reference.errors import InputError


def convert(prefix: Path, target: Path) -> str:
    """Writes the checkpoint's variables to `target`, whole or not at all; returns the variant that they are of.

    Raises InputError or WeightsError if the checkpoint is not sound, does not fit the network exactly, or if the
    target's format is unknown.
    """
    if target.suffix not in FORMATS:
        raise WeightsError(f"{target}: unknown format {target.suffix!r}: expected one of {', '.join(FORMATS)}")
    variables = checkpoint.read(prefix)
    name = variant_of({name: array.shape for name, array in variables.items()})
    save_weights(from_tf_variables(variant(name).config, variables), target)
    return name


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="pnasnet-convert", description=__doc__)
    parser.add_argument("prefix", type=Path, help="TensorFlow checkpoint: the prefix of a V2 one, or a V1 file")
    parser.add_argument("target", type=Path, help=f"the file to write: {', '.join(FORMATS)}")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        name = convert(options.prefix, options.target)
    except (InputError, WeightsError, OSError) as error:
        print(f"pnasnet-convert: {error}", file=sys.stderr)
        return 1
    print(f"{options.target}: PNASNet-5 {name}, from {options.prefix}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
