"""What makes a directory of ranks' files a sharded checkpoint: config.json and strategy files beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

from modelcore.checkpoints.slicing import strategy_of, with_states
from modelcore.parallel.partition import Partition
from modelcore.parallel.strategy import encode_strategy, strategy_file
from modelcore.store.durable import replace_contents
from modelcore.store.model_files import copy_companions
from modelcore.training.optimizer import STATES

__all__ = ["copy_description", "describe_part"]


def describe_part(
    model: Path, directory: Path, partition: Partition, rank: int, *, shard_optimizer: bool
) -> None:
    """Put the model's config.json and this rank's strategy file into a checkpoint's directory.

    Each rank writes its own strategy, so that hosts which share no disk make a whole between them.
    """
    _write(directory / "config.json", (model / "config.json").read_bytes(), rank)
    states = {
        f"{state}.{name}": placement.shape
        for state in STATES
        for name, placement in partition.placements.items()
    }
    strategy = with_states(strategy_of(partition, rank), states, shard_optimizer=shard_optimizer)
    _write(strategy_file(directory, rank), encode_strategy(strategy), rank)


def copy_description(model: Path, output: Path) -> None:
    """Copy what makes a directory of shards readable: config.json, tokenizer files, strategies."""
    copy_companions(model, output)
    if (model / "strategy").is_dir():
        shutil.copytree(model / "strategy", output / "strategy", dirs_exist_ok=True)


def _write(file: Path, contents: bytes, rank: int) -> None:
    """Write a file that appears whole, though other ranks may be writing the same one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_contents(file, contents, scratch_suffix=f".{rank}.new")
