"""The official network as it runs: TF-Slim's PNASNet-5, unmodified, on current TensorFlow."""
