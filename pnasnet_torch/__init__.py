"""PNASNet-5 in PyTorch, layer by layer the official TF-Slim network."""

import lazy_loader

# What the package offers stands in __init__.pyi. A name brings its module in when it is first used: reading images, or
# the names of the classes, takes no PyTorch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
