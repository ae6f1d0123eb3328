"""Join the shards of a distributed job into one whole checkpoint."""

from __future__ import annotations

from modelcore.checkpoints.reshard import merge_checkpoint
from modelcore.config.checkpoint import Dtype, FileFormat
from modelcore.store.store import Store
from tasks.step import Step
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["merge"]

_VERSION = 2


@step_task("merge")
def merge(
    store: Store,
    shards: Step,
    format: FileFormat = "ckpt",
    *,
    dtype: Dtype = "keep",
    weights_only: bool = False,
    newest: bool = False,
) -> Outcome:
    """Write one checkpoint from every rank's part, refusing parts that do not fit together.

    Args:
        store: holds the artifacts.
        shards: rank_<r>/ directories with strategy files, of this project or of MindFormers.
        format: of the file written.
        dtype: type to cast the parameters to, or keep.
        weights_only: leave out optimizer states and step counters.
        newest: where a rank has several checkpoints, take the last by epoch and step.
    """
    cast = {} if dtype == "keep" else {"dtype": dtype}  # absent as in keys from before there was a choice
    return build_step(
        store,
        "merge",
        lambda directory, progress: merge_checkpoint(
            shards.path,
            directory,
            format=format,
            dtype=dtype,
            weights_only=weights_only,
            newest=newest,
            progress=progress,
        ),
        version=_VERSION,
        inputs={"shards": shards.digest},
        parameters={"format": format, "weights_only": weights_only, "newest": newest, **cast},
    )
