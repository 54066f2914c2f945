"""`pytest parity -k exact --reference golden` against the work that it cannot do without, in turn.

The irreducible work: importing PyTorch, making the integers, and one forward of each network in each dtype, of which
every layer is hashed. Usage: python -m benchmarks.golden [--runs N]
"""

import sys

from benchmarks.beside import main

SUITE = (sys.executable, "-m", "pytest", "parity", "-q", "-k", "exact", "--reference", "golden")
BARE = (sys.executable, "-m", "benchmarks.golden", "--bare")


def bare() -> None:
    """The irreducible work, in this process."""
    import numpy as np
    import torch

    from parity.candidate.capture import capture
    from parity.core.layers import port_layers
    from parity.core.machine import default_threads
    from parity.reference.golden import digests
    from parity.reference.golden.stored import GoldenReference
    from pnasnet_torch import variant
    from pnasnet_torch.weights import from_tf_variables

    torch.set_num_threads(default_threads())
    reference = GoldenReference()

    def hashed(_layer: str, value: np.ndarray) -> None:
        digests.digest(value)

    for network in digests.NETWORKS:
        for dtype in digests.DTYPES:
            variables, images = reference.exact_inputs(network, reference.graph(network, dtype))
            model = from_tf_variables(variant(network.variant).config, variables, getattr(torch, dtype))
            capture(model, images, port_layers(network.variant), hashed)


if __name__ == "__main__":
    main(__doc__, SUITE, BARE, bare)
