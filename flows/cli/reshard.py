"""`mindrail reshard`: a sharded checkpoint to one of another layout."""

from __future__ import annotations

from pathlib import Path

from flows.cli.command import command_line
from flows.cli.layout_options import files, make_checkpoint, model, newest, rank_numbers, ranks
from flows.cli.section_options import section_options
from modelcore.config.checkpoint import FileFormat
from modelcore.config.training import Sharding

__all__ = ["reshard"]


@command_line.command()
@section_options(Sharding, "sharding", key="parallel")
@ranks
@newest
@model
@files
def reshard(
    source: Path,
    destination: Path,
    sharding: Sharding,
    ranks: str | None,
    format: FileFormat,
    weights_only: bool,
    newest: bool,
    model: Path | None,
    as_json: bool,
) -> None:
    """Write the sharded checkpoint SOURCE at another layout into DESTINATION."""
    from modelcore.checkpoints.reshard import reshard_checkpoint
    from tasks.layout import cut_of

    options = {
        "cut": cut_of(sharding),
        "ranks": rank_numbers(ranks),
        "format": format,
        "weights_only": weights_only,
        "newest": newest,
        "description": model,
    }
    make_checkpoint("reshard", reshard_checkpoint, source, destination, options, as_json)
