"""Layer-by-layer parity of a PyTorch PNASNet-5 with the official TF-Slim network.

`pytest parity` is the product, and `parity.check(model)` the same from Python.
"""

import lazy_loader

# What the package offers stands in __init__.pyi. A name brings its module in, and PyTorch, when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
