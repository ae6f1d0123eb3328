"""Join the shards of a distributed job into one whole checkpoint."""

from __future__ import annotations

from modelcore.models.resharding import merge_checkpoint
from modelcore.store.store import Store
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["merge"]

_VERSION = 1


@step_task("merge")
def merge(store: Store, shards: Step) -> Outcome:
    """Write one checkpoint from every rank's part, refusing parts that do not fit together."""
    return build_step(
        store,
        "merge",
        lambda directory, progress: merge_checkpoint(shards.path, directory, progress=progress),
        version=_VERSION,
        inputs={"shards": shards.digest},
        parameters={},
    )
