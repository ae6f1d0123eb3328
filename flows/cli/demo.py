"""`mindrail demo`: the whole pipeline on this machine, in minutes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.command import as_json, command_line, store_option

if TYPE_CHECKING:
    pass
from flows.cli.run import run_pipeline
from flows.cli.runs import overrides

__all__ = ["demo"]

DEMO = Path(__file__).parents[2] / "configs" / "demo" / "pipeline.yaml"


@command_line.command()
@overrides
@store_option
@as_json
def demo(changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    """Train a small random llama to write first programs, and score it before and after.

    The same as `mindrail run configs/demo/pipeline.yaml`: every step of the road on this machine's
    CPU, with two real ranks, in at most 8 minutes; a second time in seconds, from the store.
    """
    run_pipeline(DEMO, changes, store, as_json)
