"""Checkpoints: convert, verify, inspect; shard, merge and reshard between any two layouts."""
