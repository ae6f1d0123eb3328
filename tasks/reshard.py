"""Write a sharded checkpoint for another layout."""

from __future__ import annotations

from modelcore.checkpoints.reshard import reshard_checkpoint
from modelcore.config.checkpoint import FileFormat
from modelcore.config.training import Sharding
from modelcore.store.store import Store
from tasks.layout import cut_of
from tasks.shard import partition_parameters
from tasks.step import Step
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["reshard"]

_VERSION = 2


@step_task("reshard")
def reshard(
    store: Store, shards: Step, config: Sharding, format: FileFormat = "ckpt", *, newest: bool = False
) -> Outcome:
    """Write the shards of another layout for every rank.

    Args:
        store: holds the artifacts.
        shards: rank_<r>/ directories with strategy files.
        config: the layout wanted.
        format: of the files written.
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
        parameters={**partition_parameters(config), "format": format, "newest": newest},
    )
