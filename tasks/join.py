"""Join the shards that training starts from, of another run or of MindFormers, into one whole checkpoint."""

from __future__ import annotations

import hashlib
from pathlib import Path

from modelcore.checkpoints.reshard import merge_checkpoint
from modelcore.checkpoints.shards import find_shards, strategy_directory
from modelcore.config.checkpoint import Convert
from modelcore.store.store import Store
from tasks.inputs import tokenizer_digest
from tasks.step import Step
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["join"]

_VERSION = 1


@step_task("join")
def join(store: Store, shards: Path, description: Step, config: Convert, *, newest: bool = False) -> Outcome:
    """Write one checkpoint of weights from every rank's part; optimizer states are left out.

    Args:
        store: holds the artifacts.
        shards: directory of rank_<r>/, read where it is.
        description: config.json and tokenizer.
        config: format and type to write; every tensor is compared with config.json, nothing is read back.
        newest: where a rank has several checkpoints, take the last by epoch and step.
    """
    return build_step(
        store,
        "join",
        lambda directory, progress: merge_checkpoint(
            shards,
            directory,
            format=config.format,
            dtype=config.dtype,
            weights_only=True,
            newest=newest,
            description=description.path,
            progress=progress,
        ),
        version=_VERSION,
        inputs={
            "shards": _digest(store, shards, description.path, newest=newest),
            "description": tokenizer_digest(store, description),
        },
        parameters={"format": config.format, "dtype": config.dtype},
    )


def _digest(store: Store, shards: Path, description: Path, *, newest: bool) -> str:
    """Return a digest of the ranks' files and of their strategies, whatever else lies beside them."""
    found = find_shards(shards, other=description, newest=newest)
    strategies = sorted(strategy_directory(shards, description).glob("*.ckpt"))
    files = [*found.files.values(), *strategies]
    lines = [f"{path.parent.name}/{path.suffix} {store.digests.sha256(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
