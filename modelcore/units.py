"""Sizes and durations with their units: printed on pages and the command line, read from options."""

from __future__ import annotations

import re

__all__ = ["format_bytes", "format_seconds", "parse_bytes"]


def format_bytes(number: float) -> str:
    """Return a size with the unit that keeps it short: `512 B`, `3.4 kB`, `13 GB` (powers of 1000)."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.0f} GB" if number >= 10 else f"{number:.1f} GB"


def format_seconds(seconds: float) -> str:
    """Return a duration in the units that fit: `0.4 s`, `45 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def parse_bytes(text: str) -> int:
    """Return the bytes in `64GB` (powers of 1000) or `64GiB` (powers of 1024).

    Raises:
        ValueError: it is not of that form.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*([KMGT]?)(i?)B?", text.strip(), re.IGNORECASE | re.ASCII)
    if not match or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is not of the form 64GB or 64GiB")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** (0 if not match[2] else "KMGT".index(match[2].upper()) + 1))
