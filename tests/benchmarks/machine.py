"""The machine in one line, for the tables: what a ratio was measured on."""

from __future__ import annotations

import os

from modelcore.launching.processor import processor_units

__all__ = ["machine"]


def machine() -> str:
    """Return the usable cores, the processor's units for products, and the load at the moment."""
    units = ", ".join(processor_units()) or "no AVX2"
    return f"{len(os.sched_getaffinity(0))} cores with {units}; load {os.getloadavg()[0]:.0f}"
