"""Numbers with units, for pages and the command line."""

from __future__ import annotations

__all__ = ["format_bytes"]


def format_bytes(number: float) -> str:
    """Return a size with the unit that keeps it short: `512 B`, `3.4 kB`, `13 GB` (powers of 1000)."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.0f} GB" if number >= 10 else f"{number:.1f} GB"
