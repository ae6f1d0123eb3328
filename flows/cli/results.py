"""`mindrail results`: every score in the store's history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from modelcore.errors import one_line

if TYPE_CHECKING:
    pass

__all__ = ["results"]

_DEFAULT_STORE = Path("store")


@command_line.command()
@click.option("--benchmark", help="Only those of this benchmark.")
@store_option
@as_json
def results(benchmark: str | None, store: Path | None, as_json: bool) -> None:
    """List every score in the store's history, oldest first, with interval, conditions, model and data.

    Scores come there from `run`, `demo`, `evaluate` and `score`.
    """
    from modelcore.evaluation.history import HISTORY, read_history

    history = read_history((store or _DEFAULT_STORE) / HISTORY)
    runs = history.runs if benchmark is None else history.of(benchmark)
    rows = [json.loads(json.dumps(asdict(run))) for run in runs]
    emit({"results": rows, "unreadable": history.unreadable}, as_json, _show_results)


def _show_results(result: dict[str, Any]) -> None:
    for run in result["results"]:
        heading = (run["id"], run["time"][:16].replace("T", " "), run["name"], run["benchmark"])
        click.echo("  ".join(map(one_line, heading)))
        for k, (value, low, high) in run["pass_at_k"].items():
            click.echo(f"  pass@{one_line(k):<3} {value:.4f}   95 %: {low:.3f} to {high:.3f}")
        click.echo(f"  {one_line('; '.join(_conditions(run['conditions'])))}")
        if run["model"]:
            trained = f", trained on {run['data']}" if run["data"] else ""
            click.echo(f"  {one_line(run['model'] + trained)}")
        click.echo(f"  {one_line(run['checkpoint'])}")
    if not result["results"]:
        click.echo("no scores yet")
    if result["unreadable"]:
        click.echo(f"note: {result['unreadable']} lines of the history could not be read", err=True)


def _conditions(conditions: dict[str, Any]) -> Iterator[str]:
    yield f"template {conditions.get('template') or 'none'}"
    yield f"isolation {conditions.get('isolation') or 'unknown'}"
    yield from filter(None, (str(conditions.get(key) or "") for key in ("decoding", "limits")))
    if conditions.get("missing"):
        yield f"{conditions['missing']} tasks without samples"
    if conditions.get("contamination"):
        yield f"training records that share text with the benchmark: {conditions['contamination']}"
