"""Where official values come from: TensorFlow as it runs, golden digests, or a trace."""
