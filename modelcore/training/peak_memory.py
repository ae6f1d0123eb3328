"""How much memory this process has held at most.

On a CPU it is what the kernel counted, interpreter and all; on Ascend what MindSpore's allocator gave out of
the device's memory, which has not been measured.
"""

from __future__ import annotations

import mindspore

from modelcore.launching.resident_memory import highest_resident_bytes

__all__ = ["peak_memory"]


def peak_memory() -> int:
    """Return the most bytes held so far: resident ones on a CPU, the device's on Ascend."""
    if mindspore.get_context("device_target") == "CPU":
        return highest_resident_bytes()
    return int(mindspore.runtime.max_memory_allocated())
