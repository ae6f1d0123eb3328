"""`mindrail shard`: a whole checkpoint to one file per rank, with strategy files."""

from __future__ import annotations

from pathlib import Path

from flows.cli.command import command_line
from flows.cli.layout_options import files, make_checkpoint, model, rank_numbers, ranks
from flows.cli.section_options import section_options
from modelcore.config.checkpoint import FileFormat
from modelcore.config.training import Sharding

__all__ = ["shard"]


@command_line.command()
@section_options(Sharding, "sharding", key="parallel")
@ranks
@model
@files
def shard(
    source: Path,
    destination: Path,
    sharding: Sharding,
    ranks: str | None,
    format: FileFormat,
    weights_only: bool,
    model: Path | None,
    as_json: bool,
) -> None:
    """Divide the whole checkpoint SOURCE into one file per rank, with strategy files, in DESTINATION.

    SOURCE is a directory with config.json and MindSpore weights, or the weights' file.
    """
    from modelcore.checkpoints.reshard import shard_checkpoint
    from tasks.layout import cut_of

    options = {
        "cut": cut_of(sharding),
        "ranks": rank_numbers(ranks),
        "format": format,
        "weights_only": weights_only,
        "description": model,
    }
    make_checkpoint("shard", shard_checkpoint, source, destination, options, as_json)
