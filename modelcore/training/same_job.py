"""Whether a checkpoint is of the job that a plan describes, so that resuming from it makes sense."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.training.plan import TrainPlan

__all__ = ["check_same_job", "layout_in"]

# What may change without changing the result.
_FREE = (
    *("model", "data", "output", "layout", "checkpoint_every", "keep", "recompute"),
    *("validation", "validate_every", "peak_tflops"),
)
# What may change with the layout, as long as a step has as many rows as before.
_OF_LAYOUT = ("batch_size", "accumulate", "vocab_emb_dp", "offsets", "shard_optimizer")

# What plans did that were written before the key existed.
_BEFORE_THE_KEY = {"total_steps": -1}


def check_same_job(before: Mapping[str, Any], plan: TrainPlan, where: Path, *, new_layout: bool) -> None:
    """Refuse a plan that would not go on as the checkpoint's began.

    Args:
        before: the plan in the checkpoint's state.
        plan: what is to be done now.
        where: the checkpoint, for the error.
        new_layout: whether what belongs to the layout may differ.

    Raises:
        MindrailError: naming what differs.
    """
    free = (*_FREE, *_OF_LAYOUT) if new_layout else _FREE
    _refuse(_different(before, plan.as_plain(), free), where)
    rows = before["batch_size"] * before["accumulate"] * layout_in(before).data_parallel
    if rows != plan.global_batch:
        _refuse(("batch_size × accumulate × data_parallel", rows, plan.global_batch), where)


def layout_in(plan: Mapping[str, Any]) -> Layout:
    """Return the layout of a plan in a checkpoint's state."""
    return Layout(**plan["layout"])


def _different(
    before: Mapping[str, Any], now: Mapping[str, Any], free: Collection[str]
) -> tuple[str, Any, Any] | None:
    for key, value in now.items():
        old = before.get(key, _BEFORE_THE_KEY.get(key))
        old = tuple(old) if isinstance(value, tuple) else old
        if key not in free and old != value:
            return key, old, value
    return None


def _refuse(difference: tuple[str, Any, Any] | None, where: Path) -> None:
    if difference is not None:
        key, old, value = difference
        raise MindrailError(
            f"its checkpoints were made with {key} {old!r}, now it is {value!r}",
            where=where,
            fix="choose another output directory, or the old value",
        )
