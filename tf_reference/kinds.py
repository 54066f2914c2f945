"""The kinds of official source that there are: which files and modules each has, and what its network takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of official source, asked for as `NAME:PATH`; PATH is `folder`.

    `network` is the module that builds the networks (`variants`), `preprocessing` the one that prepares images.
    `needed` are the files that define the networks; `packages` the top-level names of all modules of such a source.
    One that `configures` builds its network from a configuration that it is given, any other from its own.
    """

    name: str
    packages: tuple[str, ...]
    network: str
    preprocessing: str
    needed: tuple[str, ...]
    variants: tuple[str, ...]
    configures: bool
    folder: str


SLIM = Kind(
    name="slim",
    packages=("nets", "preprocessing", "datasets", "deployment", "object_detection"),
    network="nets.nasnet.pnasnet",
    preprocessing="preprocessing.inception_preprocessing",
    needed=("nets/nasnet/pnasnet.py", "nets/nasnet/nasnet.py", "nets/nasnet/nasnet_utils.py"),
    variants=("large", "mobile"),
    configures=True,
    folder="the folder that holds nets/ (research/slim in a checkout of tensorflow/models)",
)
# The simplified code that the paper's first author published with the weights.
PNASNET_TF = Kind(
    name="pnasnet-tf",
    packages=("cell", "pnasnet", "utils"),
    network="pnasnet",
    preprocessing="utils",
    needed=("pnasnet.py", "cell.py", "utils.py"),
    variants=("large",),
    configures=False,
    folder="a checkout of chenxi116/PNASNet.TF",
)
KINDS = {SLIM.name: SLIM, PNASNET_TF.name: PNASNET_TF}
