"""Moving a checkpoint between layouts as flows of one step each: shard, reshard, merge.

As in `flows.steps`: one artifact in the store each, from what is named by its path.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from prefect import flow

from modelcore.config.schema import Parallel
from modelcore.store.store import Store
from tasks import merge as merging
from tasks import shard as sharding
from tasks.given import given
from tasks.step import Step, finished

__all__ = ["merge", "reshard", "shard"]

Format = Literal["ckpt", "safetensors"]


@flow(name="shard", flow_run_name="shard {checkpoint}", persist_result=False)
def shard(checkpoint: str, config: Parallel, format: Format = "ckpt", store: str = "store") -> Step:
    """Cut a whole checkpoint into one file a rank, with MindSpore's strategy files.

    Args:
        checkpoint: directory with config.json and model.ckpt or safetensors with MindSpore's names.
        config: the layout.
        format: of the files made.
        store: directory that holds every step's output.
    """
    source = given(checkpoint, key="checkpoint")
    return finished(sharding.shard(Store(Path(store)), source, config, format))


@flow(name="reshard", flow_run_name="reshard {shards}", persist_result=False)
def reshard(
    shards: str, config: Parallel, format: Format = "ckpt", newest: bool = False, store: str = "store"
) -> Step:
    """Make a sharded checkpoint one of another layout.

    Args:
        shards: directory with rank_<r>/ and strategy/, of this project or of MindFormers.
        config: the layout wanted.
        format: of the files made.
        newest: where a rank has several checkpoints, take the last by epoch and step.
        store: directory that holds every step's output.
    """
    source = given(shards, key="shards")
    return finished(sharding.reshard(Store(Path(store)), source, config, format, newest))


@flow(name="merge", flow_run_name="merge {shards}", persist_result=False)
def merge(
    shards: str,
    format: Format = "ckpt",
    weights_only: bool = False,
    newest: bool = False,
    store: str = "store",
) -> Step:
    """Join a sharded checkpoint into a whole one.

    Args:
        shards: directory with rank_<r>/ and strategy/, of this project or of MindFormers.
        format: of the file made.
        weights_only: leave out optimizer states and step counters.
        newest: where a rank has several checkpoints, take the last by epoch and step.
        store: directory that holds every step's output.
    """
    source = given(shards, key="shards")
    return finished(merging.merge(Store(Path(store)), source, format, weights_only, newest))
