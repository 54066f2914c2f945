"""Layer-by-layer parity of a PyTorch PNASNet-5 with the official TF-Slim network. `pytest parity` is the product."""
