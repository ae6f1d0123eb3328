"""The learning rate of each step: linear warm-up, then a cosine down to a share of the peak."""

from __future__ import annotations

import math

__all__ = ["learning_rate"]


def learning_rate(
    step: int, *, steps: int, peak: float, warmup_steps: int = 0, final_rate: float = 0.0
) -> float:
    """Return the rate of `step` (from 0) of `steps`.

    The warm-up's first step has peak / warmup_steps, its last the peak. The cosine's last step is one step
    short of its end, so no step has a rate of 0. Steps after the end keep the final rate, as in MindFormers.

    Args:
        step: from 0.
        steps: at which the cosine ends; of the whole job, as a rule.
        peak: the highest rate.
        warmup_steps: steps of linear warm-up.
        final_rate: share of the peak at which the cosine ends.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    along = min(1.0, (step - warmup_steps) / max(1, steps - warmup_steps))
    return peak * (final_rate + (1 - final_rate) * (1 + math.cos(math.pi * along)) / 2)
