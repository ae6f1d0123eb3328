"""What a job tells while it trains: metrics.jsonl, the loss line users know, timings.

metrics.jsonl holds only what is the same in every run of the same job; times go to logs/timings.jsonl. A
resumed job cuts metrics.jsonl back to its checkpoint's step and so ends with the file of an undisturbed run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

__all__ = ["JsonLines", "loss_line"]


class JsonLines:
    """A file of JSON objects with a `step` each, continued after `step`.

    Args:
        path: the file; made if missing.
        step: lines of later steps, and a torn last line, are dropped.
    """

    def __init__(self, path: Path, step: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = _lines_until(path, step)
        scratch = path.with_name(path.name + ".new")
        scratch.write_text("".join(kept))
        scratch.replace(path)
        self._stream: TextIO = path.open("a")

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row; a reader, or a rank that is killed now, finds it there."""
        self._stream.write(json.dumps(row) + "\n")
        self._stream.flush()

    def sync(self) -> None:
        """Make sure that what was written survives a power cut."""
        os.fsync(self._stream.fileno())


def loss_line(
    *,
    epoch: tuple[int, int],
    step: tuple[int, int],
    loss: float,
    milliseconds: float,
    rate: float,
    overflow: bool,
    loss_scale: float,
    global_norm: float,
) -> str:
    """Return MindFormers' line of one step; `epoch` and `step` are (this one, how many)."""
    return (
        f"{{ Epoch:[{epoch[0]:3d}/{epoch[1]:3d}], step:[{step[0]:5d}/{step[1]:5d}], loss: {loss:5.3f}, "
        f"per_step_time: {milliseconds:.0f}ms, lr: {rate:.8g}, overflow cond: {overflow}, "
        f"loss_scale: {loss_scale:g}, global_norm: {global_norm:.6g} }}"
    )


def _lines_until(path: Path, step: int) -> list[str]:
    if not path.exists():
        return []
    kept = []
    for line in path.read_text().splitlines(keepends=True):
        if not line.endswith("\n") or json.loads(line)["step"] > step:
            break
        kept.append(line)
    return kept
