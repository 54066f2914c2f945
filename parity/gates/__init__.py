"""The gates, by family: reference and candidate in, results out."""
