"""One run of parity: which gate when, its results, and its verdicts."""
