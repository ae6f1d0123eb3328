"""Weights on disk: readers and writers of every checkpoint format, names, casts, all of them streaming."""
