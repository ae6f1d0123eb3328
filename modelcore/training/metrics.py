"""What a job logs while it trains: metrics.jsonl, the loss line users know, timings.

metrics.jsonl holds only what is the same in every run of the same job; times go to logs/timings.jsonl. A
resumed job cuts metrics.jsonl back to its checkpoint's step and so ends with the file of an undisturbed run.
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from modelcore.store.journal import Journal, read_journal

__all__ = ["loss_line", "metrics_journal"]


def metrics_journal(path: Path, step: int) -> Journal:
    """Open a journal of records with a `step` each, to continue after `step`; later records are dropped.

    Args:
        path: the file; made if missing, with the directories above it.
        step: the last step to keep.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = takewhile(lambda record: bool(record["step"] <= step), read_journal(path))
    return Journal(path, kept)


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
