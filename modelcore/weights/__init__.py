"""Weights on disk: streaming readers and writers of every checkpoint format, names, casts."""
