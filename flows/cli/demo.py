"""`mindrail demo`: the whole pipeline on this machine, in minutes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.command import as_json, command_line, store_option
from flows.cli.run import emit_run
from flows.cli.runs import overrides, read_run, run_on_server
from modelcore.demo.config import Demo

if TYPE_CHECKING:
    from flows.pipeline import Run

__all__ = ["DEMO", "demo"]

DEMO = Path(__file__).parents[2] / "configs" / "demo.yaml"


@command_line.command()
@overrides
@store_option
@as_json
def demo(changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    """Train a small random llama to write short programs, and score it before and after.

    Every step of the pipeline on this machine's CPU, with two real ranks: some ten minutes on two busy cores,
    and seconds from the store the second time. configs/demo.yaml is what runs.
    """
    from tasks.demo_preflight import check_demo

    def load() -> Callable[[Demo], Run]:
        from flows.demo import demo_from_config

        return demo_from_config

    config = read_run(DEMO, Demo, changes, store, command="demo")
    check_demo(config)
    emit_run(run_on_server(config, load), as_json=as_json)
