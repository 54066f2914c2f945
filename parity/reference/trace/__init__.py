"""What the official network computed, stored in a file (HDF5), so that a port can be judged without TensorFlow."""
