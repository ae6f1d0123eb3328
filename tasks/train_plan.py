"""From a run's configuration to the plan that its ranks read. No Prefect here."""

from __future__ import annotations

from modelcore.config.runs import Training
from modelcore.training.plan import TrainPlan
from tasks.layout import layout_of

__all__ = ["plan_of"]


def plan_of(
    config: Training,
    *,
    steps: int | None = None,
    model: str = "",
    data: str = "",
    output: str = "",
    validation: str = "",
) -> TrainPlan:
    """Return the plan of a run.

    Args:
        config: the run.
        steps: to assume for a run with epochs whose rows are not counted yet.
        model: directory of the shards; "" as long as it is not known, like the other paths.
        data: MindRecord file of the rows.
        output: directory to fill.
        validation: MindRecord file of the rows held back, "" if there is none.
    """
    parallel = config.parallel
    length = config.train.steps if steps is None else steps
    assert length is not None  # a run with epochs has steps by `with_rows`
    options = config.train.options(length).model_dump() | {"accumulate": config.micro_batches}
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
