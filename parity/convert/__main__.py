"""Converts the weights of PNASNet-5 between TensorFlow checkpoints, .h5, .safetensors and .pth, in any direction.

The source is read without TensorFlow and may be
  a released archive        pnasnet-5_large_2017_12_13.tar.gz, as it is downloaded; any tar or zip
  a TensorFlow checkpoint   the prefix of a V2 one (model.ckpt for model.ckpt.index), or a V1 file; a trained one, too
  a file                    of HDF5, safetensors or PyTorch (never running its code), whatever it is called
  a folder                  with one of these, a SavedModel's among them

Variant, classes, auxiliary head and names are found from the weights. Each is used once, and keeps every bit. What was
written is read back and compared before it is put in place, all of it or nothing.

examples:
  pnasnet-convert pnasnet-5_large_2017_12_13.tar.gz large.safetensors
  pnasnet-convert pnasnet-5_large_2017_12_13.tar.gz timm/model.safetensors --names timm --classes 1000
  pnasnet-convert pnasnet5large-bf079911.pth large.ckpt --verify
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from parity.convert.conversion import convert
from parity.convert.request import CHECKPOINT, TARGETS, Request
from parity.core.command import Parser, run
from pnasnet_torch.selection import WHICH, all_names
from pnasnet_torch.targets import TF

PROG = "pnasnet-convert"


def parser() -> Parser:
    """Return the parser of the command line."""
    options = Parser(PROG, __doc__)
    _add_files(options)
    _add_names(options)
    _add_changes(options)
    options.add_argument("--force", action="store_true", help="replace what is there")
    options.add_argument(
        "--verify",
        action="store_true",
        help="before the target is put in place, run the official network with the source's weights and the port with "
        "the target's, and judge every layer by the gates structure, float64 and float32 (needs TensorFlow)",
    )
    return options


def _add_files(options: Parser) -> None:
    options.add_argument("source", type=Path, metavar="SOURCE", help="the weights to read")
    options.add_argument("target", type=Path, metavar="TARGET", help=f"the file to write: {', '.join(TARGETS)}")


def _add_names(options: Parser) -> None:
    names = ", ".join(all_names())
    options.add_argument(
        "--names",
        choices=all_names(),
        metavar="SCHEME",
        help=f"the target's names: {names} (default: ours, of a checkpoint {TF}); {TF} has TensorFlow's layouts, too",
    )
    options.add_argument(
        "--from-names",
        choices=all_names(),
        metavar="SCHEME",
        help="the source's names (default: those that fit)",
    )
    options.add_argument("--weights", metavar="WHICH", help=WHICH)


def _add_changes(options: Parser) -> None:
    options.add_argument(
        "--classes", type=int, choices=(1000, 1001), help="1000 leaves out the background, class 0 of 1001"
    )
    options.add_argument(
        "--drop-aux-head", action="store_true", help="leave out the auxiliary head, which training alone uses"
    )
    options.add_argument(
        "--checkpoint-version",
        type=int,
        choices=(1, 2),
        help=f"the format of a target that ends in {CHECKPOINT} (default: 2)",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert as the `arguments` say (default: the command line's), and return the exit code.

    Raises RequestError, WeightsError, InputError or NotVerifiedError as `convert` does.
    """
    options = parser().parse_args(arguments)
    request = Request(
        source=options.source,
        target=options.target,
        names=options.names,
        source_names=options.from_names,
        weights=options.weights,
        classes=options.classes,
        drop_aux_head=options.drop_aux_head,
        version=options.checkpoint_version,
        force=options.force,
        verify=options.verify,
    )
    convert(request)
    return 0


def command() -> int:
    """Run the command as pnasnet-convert, and return its exit code."""
    return run(main, PROG)


if __name__ == "__main__":
    sys.exit(command())
