"""`mindrail reshard`: a sharded checkpoint to one of another layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.command import command_line

if TYPE_CHECKING:
    from modelcore.checkpoints.reshard import Format
from flows.cli.layout_options import files, layout_options, make_checkpoint, model, newest

__all__ = ["reshard"]


@command_line.command()
@layout_options
@newest
@model
@files
def reshard(
    source: Path,
    destination: Path,
    cut: dict[str, Any],
    format: Format,
    weights_only: bool,
    newest: bool,
    model: Path | None,
    as_json: bool,
) -> None:
    """Make the sharded checkpoint SOURCE one of another layout in DESTINATION."""
    from modelcore.checkpoints.reshard import reshard_checkpoint

    asked = {**cut, "format": format, "weights_only": weights_only, "newest": newest, "description": model}
    make_checkpoint("reshard", reshard_checkpoint, source, destination, asked, as_json)
