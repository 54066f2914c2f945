"""The digests of every layer of the integer network as the official source computes it: the same on every machine."""
