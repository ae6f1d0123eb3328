"""`mindrail plan`: what a run would do, without doing anything."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from flows.cli.runs import overrides
from flows.kinds import KINDS
from modelcore.config.kinds import read_any
from modelcore.units import format_bytes, format_seconds

__all__ = ["plan"]

_WIDTH = 160


@command_line.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Directory of the model's config.json, if the model is neither here nor one of `mindrail models`.",
)
@click.option(
    "--elsewhere",
    is_flag=True,
    help="The run is for other machines: what this one lacks does not count.",
)
@overrides
@store_option
@as_json
def plan(
    config: Path,
    model: Path | None,
    elsewhere: bool,
    changes: tuple[str, ...],
    store: Path | None,
    as_json: bool,
) -> None:
    """Show what the run that CONFIG describes would do: steps, memory, disk, time, and everything wrong.

    Nothing is built, fetched or written. Steps in the store are `cached`. Times are at the rates at which
    this store's artifacts were built. The exit code is 1 if the run cannot work, and 2 if CONFIG cannot be
    read.
    """
    from tasks.plan import plan_run

    if store is not None:
        changes = (*changes, f"store={store}")
    run = read_any(config, "name", command="plan", kinds=KINDS, changes=changes)
    planned = plan_run(run, model)
    wrong = [*planned.problems.configuration, *([] if elsewhere else planned.problems.machine)]
    result = {
        "name": planned.name,
        "steps": [asdict(step) for step in planned.steps],
        "bytes_to_write": planned.bytes_to_write,
        "parameters": planned.parameters,
        "ranks": planned.ranks,
        "hosts": planned.hosts,
        "stages": [
            {
                "stage": one.stage,
                "ranks": list(one.ranks),
                "memory": {**asdict(one.memory), "total": one.memory.total},
                "process": one.process,
            }
            for one in planned.stages
        ],
        "problems": planned.problems.configuration,
        "machine": planned.problems.machine,
        "notes": planned.problems.notes,
        "works": not wrong,
    }
    emit(result, as_json, _show)
    if wrong:
        raise click.exceptions.Exit(1)


def _show(result: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False, width=_WIDTH)
    console.print(_step_table(result["steps"]))
    console.print()
    for stage in result["stages"]:
        memory = stage["memory"]
        uses = ", ".join(
            f"{use} {format_bytes(size)}" for use, size in memory.items() if size and use != "total"
        )
        console.print(
            f"stage {stage['stage']}: {len(stage['ranks'])} devices, {format_bytes(memory['total'])} "
            f"each ({uses})"
        )
    if any(stage["process"] for stage in result["stages"]):
        sizes = ", ".join(format_bytes(stage["process"]) for stage in result["stages"])
        console.print(f"on a CPU the process of a rank holds at most {sizes} (by stage)")
    if result["parameters"]:
        hosts = "1 host" if result["hosts"] == 1 else f"{result['hosts']} hosts"
        console.print(
            f"{result['parameters'] / 1e9:.2f} billion parameters on {result['ranks']} devices, {hosts}"
        )
    if result["bytes_to_write"]:
        console.print(f"to write: {format_bytes(result['bytes_to_write'])}, without rows and responses")
    for kind, label in (("notes", "note"), ("problems", "wrong"), ("machine", "this machine")):
        for line in result[kind]:
            console.print(f"{label}: {line}", markup=False)
    console.print("the run can start" if result["works"] else "the run cannot work")


def _step_table(steps: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table("step", "", "reads", "writes", "size", "time", box=None, pad_edge=False)
    for column in (4, 5):
        table.columns[column].justify = "right"
    for step in steps:
        cached = step["state"] == "cached"
        seconds = step["seconds"]
        table.add_row(
            step["name"],
            step["state"],
            ", ".join(step["inputs"]),
            step["output"],
            "?" if step["bytes"] is None else format_bytes(step["bytes"]),
            "" if cached else "?" if seconds is None else f"≈ {format_seconds(seconds)}",
        )
    return table
