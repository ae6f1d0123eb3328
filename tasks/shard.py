"""Cut a whole checkpoint for a distributed layout."""

from __future__ import annotations

from modelcore.config.schema import Parallel
from modelcore.models.resharding import shard_checkpoint
from modelcore.store.store import Store
from tasks.layout import layout_of
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["shard"]

_VERSION = 1


@step_task("shard")
def shard(store: Store, checkpoint: Step, config: Parallel) -> Outcome:
    """Write one checkpoint and one strategy file for every rank."""
    return build_step(
        store,
        "shard",
        lambda directory, progress: shard_checkpoint(
            checkpoint.path,
            directory,
            layout=layout_of(config),
            vocab_emb_dp=config.vocab_emb_dp,
            offsets=config.offset,
            shard_optimizer=config.shard_optimizer,
            progress=progress,
        ),
        version=_VERSION,
        inputs={"checkpoint": checkpoint.digest},
        parameters=config.model_dump(exclude={"micro_batch_num", "recompute"}),
    )
