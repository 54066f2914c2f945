"""Conversion of weights between files, TensorFlow checkpoints and the names of other implementations."""
