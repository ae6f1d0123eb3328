"""What the graphs of a training step depend on beside sources and versions: what names them in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from modelcore.models.model import Model
from modelcore.training.plan import TrainPlan
from modelcore.training.rows import TokenRows

__all__ = ["facts_of_graphs"]

# Where files are, how long the job is, and what the graphs are given as numbers with each step. A key that is
# new is none of these until it is named here.
_NOT_COMPILED = {
    *("model", "data", "output", "validation", "seed"),
    *("steps", "warmup_steps", "total_steps", "learning_rate", "final_rate"),
    *("weight_decay", "epsilon", "clip_norm"),
    *("checkpoint_every", "keep", "validate_every", "peak_tflops"),
}


def facts_of_graphs(plan: TrainPlan, model: Model, rank: int, rows: TokenRows) -> Mapping[str, object]:
    """Return the facts of one rank's graphs as plain values."""
    return {
        "family": model.family.name,
        "config": asdict(model.config),
        "rank": rank,
        "width": rows.width,
        "columns": sorted(rows.columns),
        **plan.model_dump(mode="json", exclude=_NOT_COMPILED),
    }
