"""Faults of training, and variations that are none, planted one at a time: what the training gates make of each."""
