"""What the commands that run a whole pipeline share: `--set`, a Prefect server, the table of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from modelcore.config.reading import read_config, read_yaml
from modelcore.config.runs import Training
from modelcore.errors import MindrailError
from modelcore.units import format_bytes
from modelcore.versions import check_versions

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.step import Step

__all__ = ["overrides", "plain_steps", "read_run", "run_on_server", "show_steps"]

Config = TypeVar("Config", bound=Training)
Result = TypeVar("Result")


overrides = click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one key, e.g. train.steps=300."
)


def read_run(path: Path, schema: type[Config], changes: tuple[str, ...], store: Path | None = None) -> Config:
    """Read a run's YAML with the changes that the command line makes.

    Raises:
        MindrailError: naming file and key; also for the demo's YAML, which is not that of a run.
    """
    if "first_programs" in read_yaml(path) and "first_programs" not in schema.model_fields:
        raise MindrailError(
            "describes the demo, which generates its own inputs", where=path, fix="run it with: mindrail demo"
        )
    if store is not None:
        changes = (*changes, f"store={store}")
    return read_config(path, schema, changes)


def run_on_server(config: Config, work: Callable[[Config], Result]) -> Result:
    """Do the work of a checked configuration beside a Prefect server."""
    check_versions()
    from flows.cli.temporary_server import prefect_server

    with prefect_server(Path(config.store).absolute() / ".prefect") as wait_until_up:
        wait_until_up()
        return work(config)


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
