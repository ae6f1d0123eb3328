"""Cut a checkpoint for a distributed layout: a whole one, or one that is cut for another layout."""

from __future__ import annotations

from modelcore.checkpoints.reshard import reshard_checkpoint, shard_checkpoint
from modelcore.config.checkpoint import FileFormat
from modelcore.config.training import Sharding
from modelcore.store.store import Store
from tasks.layout import cut_of
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["reshard", "shard"]

_VERSION = 1
_WHERE_TENSORS_ARE = set(Sharding.model_fields)  # of `Parallel`, which also says how a job runs


@step_task("shard")
def shard(store: Store, checkpoint: Step, config: Sharding, format: FileFormat = "ckpt") -> Outcome:
    """Write one checkpoint and one strategy file for every rank."""
    return build_step(
        store,
        "shard",
        lambda directory, progress: shard_checkpoint(
            checkpoint.path, directory, cut_of(config), format=format, progress=progress
        ),
        version=_VERSION,
        inputs={"checkpoint": checkpoint.digest},
        parameters=config.model_dump(include=_WHERE_TENSORS_ARE) | {"format": format},
    )


@step_task("reshard")
def reshard(
    store: Store, shards: Step, config: Sharding, format: FileFormat = "ckpt", newest: bool = False
) -> Outcome:
    """Write the shards of another layout for every rank.

    Args:
        store: where artifacts lie.
        shards: rank_<r>/ directories with strategy files.
        config: the layout wanted.
        format: of the files made.
        newest: where a rank has several checkpoints, take the last by epoch and step.
    """
    return build_step(
        store,
        "reshard",
        lambda directory, progress: reshard_checkpoint(
            shards.path, directory, cut_of(config), format=format, newest=newest, progress=progress
        ),
        version=_VERSION,
        inputs={"shards": shards.digest},
        parameters=config.model_dump(include=_WHERE_TENSORS_ARE) | {"format": format, "newest": newest},
    )
