"""`mindrail merge`: a sharded checkpoint to a whole one."""

from __future__ import annotations

from pathlib import Path

from flows.cli.command import command_line
from flows.cli.layout_options import files, make_checkpoint, model, newest
from modelcore.config.checkpoint import FileFormat

__all__ = ["merge"]


@command_line.command()
@newest
@model
@files
def merge(
    source: Path,
    destination: Path,
    format: FileFormat,
    weights_only: bool,
    newest: bool,
    model: Path | None,
    as_json: bool,
) -> None:
    """Join the sharded checkpoint SOURCE (rank_<r>/ directories, strategy/) into one in DESTINATION."""
    from modelcore.checkpoints.reshard import merge_checkpoint

    options = {"format": format, "weights_only": weights_only, "newest": newest, "description": model}
    make_checkpoint("merge", merge_checkpoint, source, destination, options, as_json)
