"""Artifacts by content: what a step made is kept under a key of what it was made from."""
