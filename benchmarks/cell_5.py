"""`pytest parity -k cell_5` against the work that it cannot do without, in turn, and the cost of building a graph.

The irreducible work: importing both frameworks, loading both models, and one bare forward of each to cell_5, in each
dtype, of each default network. Usage: python -m benchmarks.cell_5 [--runs N]
"""

import sys

from benchmarks.beside import main

SUITE = (sys.executable, "-m", "pytest", "parity", "-q", "-k", "cell_5")
BARE = (sys.executable, "-m", "benchmarks.cell_5", "--bare")


def bare() -> None:
    """The irreducible work, in this process."""
    import torch

    from parity.candidate.capture import capture
    from parity.core.layers import DEFAULT_SIZES, Network, parse_size, port_layers
    from parity.core.machine import processors
    from parity.core.specification import DEFAULT_IMAGES, PHOTOGRAPHS, Specification
    from parity.gates.context import NetworkContext
    from parity.reference.live import LiveReference
    from pnasnet_torch import variant
    from pnasnet_torch.weights import from_tf_variables
    from tf_reference.run import OfficialRun

    networks = [Network(name, *parse_size(size)) for name, sizes in DEFAULT_SIZES.items() for size in sizes]
    image = PHOTOGRAPHS / DEFAULT_IMAGES[0]
    threads = processors()
    source = LiveReference(Specification(tuple(networks), None, (image,), ("official",), 0, threads))
    for network in networks:
        context = NetworkContext(network, source)
        last = [name for name in port_layers(network.variant) if name.startswith("cell_5.")][-1]
        variables, images = context.variables(), context.images()
        for dtype in ("float64", "float32"):
            with OfficialRun(context.graph(dtype), [last], threads) as reference:
                reference.assign(variables)
                reference.run(images)
            model = from_tf_variables(variant(network.variant).config, variables, getattr(torch, dtype))
            capture(model, images, [last], lambda *_: None)


if __name__ == "__main__":
    main(__doc__, SUITE, BARE, bare)
