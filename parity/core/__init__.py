"""Vocabulary and pure judging, which every other part builds on. Importing it imports no framework."""
