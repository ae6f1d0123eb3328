"""Commands that run a whole pipeline: `run` and `demo`, and how their result is printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flows.cli import as_json, command_line, emit, store_option
from modelcore.config.reading import read_config
from modelcore.config.schema import Pipeline, Training
from modelcore.report.words import bytes_in_words
from modelcore.versions import check_versions

if TYPE_CHECKING:
    from rich.console import Console

    from flows.pipeline import Run
    from tasks.step import Step

__all__ = ["demo", "overrides", "plain_steps", "run", "serve_and_run", "show_steps"]

Config = TypeVar("Config", bound=Training)
Result = TypeVar("Result")

DEMO = Path(__file__).parents[1] / "configs" / "demo" / "pipeline.yaml"

overrides = click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one key, e.g. train.steps=300."
)


@command_line.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
@store_option
@as_json
def run(config: Path, changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    """Run the pipeline that CONFIG describes.

    Steps whose output is in the store already are not done again; an interrupted run goes on where
    it was. CONFIG is a YAML file; configs/demo/pipeline.yaml is a commented one.
    """
    _run(config, changes, store, as_json)


@command_line.command()
@overrides
@store_option
@as_json
def demo(changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    """Train a small random llama to write first programs, and score it before and after.

    The same as `mindrail run configs/demo/pipeline.yaml`: every step of the road on this machine's
    CPU, with two real ranks, in at most 8 minutes; a second time in seconds, from the store.
    """
    _run(DEMO, changes, store, as_json)


def _run(path: Path, changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    def work(config: Pipeline) -> Run:
        from flows.pipeline import pipeline

        return pipeline(config)

    emit(as_plain(serve_and_run(path, Pipeline, changes, store, work)), as_json, _show)


def serve_and_run(
    path: Path,
    schema: type[Config],
    changes: tuple[str, ...],
    store: Path | None,
    work: Callable[[Config], Result],
) -> Result:
    """Read a run's YAML, look whether it can work, and do it beside a Prefect server."""
    if store is not None:
        changes = (*changes, f"store={store}")
    config = read_config(path, schema, changes)
    check_versions()
    from flows.server import prefect_server
    from tasks.preflight import preflight

    preflight(config)
    with prefect_server(Path(config.store).absolute() / ".prefect") as wait_until_up:
        wait_until_up()
        return work(config)


def as_plain(run: Run) -> dict[str, Any]:
    """Return a run as the JSON object that `--json` prints."""
    return {
        "name": run.name,
        "steps": plain_steps(run.steps),
        "pass_at_1": {"before": run.scores.before, "after": run.scores.after},
        "seconds": round(run.seconds, 1),
        "report": str(run.report),
    }


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
        table.add_row(step["name"], f"{step['seconds']:.1f}", state, bytes_in_words(step["bytes"]))
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    console.print()
    return console


def _show(result: dict[str, Any]) -> None:
    console = show_steps(result["steps"])
    before, after = result["pass_at_1"]["before"], result["pass_at_1"]["after"]
    if before is not None:
        console.print(f"pass@1 before training  {before:.3f}")
    console.print(f"pass@1 after training   {after:.3f}")
    console.print(f"report                  {result['report']}")
    console.print(f"{result['seconds']:.0f} s in all")
