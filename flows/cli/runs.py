"""What the commands that run a whole pipeline share: `--set`, a Prefect server, the table of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flows.kinds import KINDS
from modelcore.config import kinds
from modelcore.config.runs import Run
from modelcore.store.location import store_directory
from modelcore.units import format_bytes
from modelcore.versions import check_versions

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.step import Step

__all__ = ["overrides", "plain_steps", "read_run", "run_on_server", "show_steps"]

Config = TypeVar("Config", bound=Run)
Result = TypeVar("Result")

overrides = click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one key, e.g. train.steps=300."
)


def read_run(
    path: Path, schema: type[Config], changes: Iterable[str], store: Path | None = None, *, command: str
) -> Config:
    """Read a run's YAML with the changes that the command line makes; log what of it has no part in the run.

    Raises:
        MindrailError: naming file and key, or the commands that the YAML is for.
    """
    if store is not None:
        changes = (*changes, f"store={store}")
    reading = kinds.read_run(path, schema, command=command, kinds=KINDS, changes=changes)
    if reading.left_out:
        keys = ", ".join(reading.left_out)
        click.echo(f"note: `mindrail {command}` makes no use of {keys} in {path}", err=True)
    return reading.run


def run_on_server(config: Config, load: Callable[[], Callable[[Config], Result]]) -> Result:
    """Run a flow of a checked configuration beside a Prefect server.

    Args:
        config: the run.
        load: imports the flow; called while the server starts.
    """
    check_versions()
    from flows.cli.temporary_server import prefect_server, without_heartbeats

    with prefect_server(store_directory(config.store).absolute() / ".prefect") as wait_until_up:
        flow = load()
        wait_until_up()
        with without_heartbeats():
            return flow(config)


def plain_steps(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Return steps as `--json` prints them."""
    return [
        {
            "name": step.name,
            "seconds": round(step.seconds, 2),
            "cached": step.cached,
            "digest": step.digest,
            "bytes": step.size,
            "path": str(step.path),
        }
        for step in steps
    ]


def show_steps(steps: Iterable[dict[str, Any]]) -> Console:
    """Print a table of the steps; return the console, for what comes below."""
    from rich.console import Console
    from rich.table import Table

    table = Table("step", "seconds", "", "size", box=None, pad_edge=False)
    for column in (1, 3):
        table.columns[column].justify = "right"
    for step in steps:
        state = "cached" if step["cached"] else "built"
        table.add_row(step["name"], f"{step['seconds']:.1f}", state, format_bytes(step["bytes"]))
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    console.print()
    return console
