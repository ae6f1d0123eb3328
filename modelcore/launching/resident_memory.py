"""How much memory this process has held at most, as Linux counts it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["highest_resident_bytes"]

_STATUS = Path("/proc/self/status")


def highest_resident_bytes() -> int:
    """Return the most bytes that were resident since this program began.

    Not `ru_maxrss`: that survives exec, so where the process before was larger, it is that one's.
    """
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10  # the kernel writes kB and means KiB
