"""`mindrail shard`: a whole checkpoint to one file per rank, with strategy files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.command import command_line

if TYPE_CHECKING:
    from modelcore.checkpoints.reshard import Format
from flows.cli.layout_options import files, layout_options, make_checkpoint

__all__ = ["shard"]


@command_line.command()
@layout_options
@files
def shard(
    source: Path, destination: Path, cut: dict[str, Any], format: Format, weights_only: bool, as_json: bool
) -> None:
    """Cut the whole checkpoint SOURCE into one file a rank, with strategy files, in DESTINATION."""
    from modelcore.checkpoints.reshard import shard_checkpoint

    asked = {**cut, "format": format, "weights_only": weights_only}
    make_checkpoint("shard", shard_checkpoint, source, destination, asked, as_json)
