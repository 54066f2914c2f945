"""Candidates, which are judged: the port, other implementations, and engines; and how their layers are observed."""
