"""Faults that conversions really have, planted in the port one at a time: what the gates make of each, and what simpler
checks would have made of it."""
