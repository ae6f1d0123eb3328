"""Completions from a checkpoint: KV cache, sampling, batching, and the program that does it in a process."""
