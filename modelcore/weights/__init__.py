"""Weights on disk: readers and writers of every checkpoint format, names, casts. Nothing holds a whole model."""
