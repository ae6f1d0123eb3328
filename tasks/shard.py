"""Write a whole checkpoint as one file per rank of a distributed layout."""

from __future__ import annotations

from collections.abc import Mapping

from modelcore.checkpoints.reshard import shard_checkpoint
from modelcore.config.checkpoint import FileFormat
from modelcore.config.training import Sharding
from modelcore.store.store import Store
from tasks.layout import cut_of
from tasks.step import Step
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["partition_parameters", "shard"]

_VERSION = 2


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
        parameters={**partition_parameters(config), "format": format},
    )


def partition_parameters(config: Sharding) -> Mapping[str, object]:
    """Return what decides which tensor is where, for a key; `Parallel` also says how a job runs."""
    return config.model_dump(include=set(Sharding.model_fields))
