"""What the official network computed, stored in a file (HDF5), so that a candidate can be judged without TensorFlow."""
