"""From a run's configuration to the plan that its ranks read. No Prefect here."""

from __future__ import annotations

from modelcore.config.runs import Training
from modelcore.training.plan import TrainPlan
from tasks.layout import layout_of

__all__ = ["plan_of"]


def plan_of(
    config: Training, *, model: str = "", data: str = "", output: str = "", validation: str = ""
) -> TrainPlan:
    """Return the plan of a run.

    Args:
        config: the run.
        model: directory of the shards; "" as long as it is not known, like the other paths.
        data: MindRecord file of the rows.
        output: directory to fill.
        validation: MindRecord file of the rows held back, "" if there is none.
    """
    parallel = config.parallel
    options = config.train.model_dump(exclude={"resume_from"}) | {"accumulate": config.micro_batches}
    return TrainPlan(
        model=model,
        data=data,
        output=output,
        validation=validation,
        seed=config.seed,
        layout=layout_of(parallel),
        vocab_emb_dp=parallel.vocab_emb_dp,
        offsets=tuple(parallel.offset),
        shard_optimizer=parallel.shard_optimizer,
        recompute=parallel.recompute,
        **options,
    )
