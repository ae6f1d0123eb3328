"""What this machine's processor multiplies matrices with, and the precision that follows from it.

Linux on x86 only: elsewhere no unit is found, and fp32 is chosen. Nothing is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["fastest_precision", "has_bf16_products", "processor_units"]

_CPUINFO = Path("/proc/cpuinfo")
_UNITS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
_WITH_BF16_PRODUCTS = ("avx512_bf16", "amx_bf16")


def processor_units(cpuinfo: Path = _CPUINFO) -> tuple[str, ...]:
    """Return those of avx2, avx512f, avx512_bf16 and amx_bf16 that the processor has."""
    if not cpuinfo.is_file():
        return ()
    for line in cpuinfo.read_text().splitlines():
        if line.startswith("flags"):
            flags = set(line.partition(":")[2].split())
            return tuple(unit for unit in _UNITS if unit in flags)
    return ()


def has_bf16_products(units: Sequence[str]) -> bool:
    """Return whether a processor with these units multiplies bf16 in hardware."""
    return any(unit in units for unit in _WITH_BF16_PRODUCTS)


def fastest_precision(units: Sequence[str]) -> tuple[str, str]:
    """Return the precision in which a processor with these units trains fastest, and the reason."""
    for unit in _WITH_BF16_PRODUCTS:
        if unit in units:
            return "bf16", f"this processor has {unit}"
    return "fp32", f"this processor has neither {' nor '.join(_WITH_BF16_PRODUCTS)}"
