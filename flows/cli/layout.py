"""The command `layout`: what every rank of a run will hold and need, before a cluster is booked."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.command import as_json, command_line, emit
from modelcore.config.reading import read_config, read_yaml
from modelcore.config.schema import Pipeline, Predict

if TYPE_CHECKING:
    from modelcore.checkpoints.layout import DryRun

__all__ = ["layout", "memory_size"]

_WIDTH = 160


@command_line.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Directory of the model's config.json; otherwise it is asked of the run's source.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one key, e.g. parallel.recompute=true.",
)
@click.option(
    "--device-memory", metavar="SIZE", help="What a device has, e.g. 64GB: say which ranks do not fit."
)
@as_json
def layout(
    config: Path, model: Path | None, changes: tuple[str, ...], device_memory: str | None, as_json: bool
) -> None:
    """Say what every rank of CONFIG's layout will hold, talk to and need, without any device.

    Weights, gradients and optimizer states are exact, activations an estimate. With --device-memory the
    exit code is 1 if a rank does not fit, and changes that would make it fit are named.
    """
    from tasks.layout import family_of, fitting, rehearse

    run = _read(config, changes)
    capacity = None if device_memory is None else memory_size(device_memory)
    family = family_of(run, model)
    found = rehearse(run, family)
    result = _as_plain(run, family.name, found)
    if capacity is not None:
        too_full = [one.rank for one in found.ranks if one.memory.total > capacity]
        result |= {"device_memory": capacity, "too_full": too_full}
        result["ways_to_fit"] = fitting(run, family, capacity) if too_full else []
    emit(result, as_json, _show)
    if result.get("too_full"):
        raise click.exceptions.Exit(1)


def _read(config: Path, changes: tuple[str, ...]) -> Pipeline | Predict:
    """Read a run that trains, or one that only generates."""
    if "train" in read_yaml(config):
        return read_config(config, Pipeline, changes)
    return read_config(config, Predict, changes)


def memory_size(text: str) -> int:
    """Return the bytes in `64GB` (powers of 1000) or `64GiB` (powers of 1024).

    Raises:
        click.BadParameter: it is not of that form.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", text.strip(), re.IGNORECASE)
    if not match or float(match[1]) <= 0:
        raise click.BadParameter(f"{text!r} is not of the form 64GB or 64GiB", param_hint="--device-memory")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** (0 if not match[2] else "KMGT".index(match[2].upper()) + 1))


def _as_plain(run: Pipeline | Predict, family: str, found: DryRun) -> dict[str, Any]:
    """Return the dry run as the JSON object that `--json` prints; memory in bytes."""
    ranks = [
        {
            "rank": one.rank,
            **asdict(one.at),
            "layers": [one.layers.start, one.layers.stop - 1],
            "parameters": one.parameters,
            "memory": {**asdict(one.memory), "total": one.memory.total},
        }
        for one in found.ranks
    ]
    return {
        "name": run.name,
        "family": family,
        "parameters": found.parameters,
        "layout": run.parallel.model_dump(),
        "global_batch": run.global_batch if isinstance(run, Pipeline) else None,
        "ranks": ranks,
        "slices": [asdict(line) for line in found.slices],
        "groups": asdict(found.groups),
        "notes": list(found.notes),
    }


def _show(result: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False, width=_WIDTH)
    axes = result["layout"]
    console.print(
        f"{result['name']}: {result['family']}, {result['parameters'] / 1e9:.2f} billion parameters on "
        f"{len(result['ranks'])} ranks (dp{axes['data_parallel']} mp{axes['model_parallel']} "
        f"pp{axes['pipeline_stage']})"
        + (f", {result['global_batch']} rows a step" if result["global_batch"] else "")
    )
    for table in (_rank_table(result["ranks"]), _slice_table(result["slices"])):
        console.print()
        console.print(table)
    console.print()
    for kind, groups in result["groups"].items():
        if len(groups[0]) > 1:
            console.print(f"{kind + ' groups':16}{'  '.join(map(_ranks, groups))}", markup=False)
    for note in result["notes"]:
        console.print(f"note: {note}", markup=False)
    if "too_full" in result:
        _show_fit(console, result)


def _rank_table(ranks: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    kinds = [kind for kind, size in ranks[0]["memory"].items() if any(one["memory"][kind] for one in ranks)]
    table = Table(
        "ranks", "stage", "layers", "parameters", *(f"{kind} GB" for kind in kinds), box=None, pad_edge=False
    )
    for column in table.columns:
        column.justify = "right"
    for stage in range(ranks[-1]["stage"] + 1):
        same = [one for one in ranks if one["stage"] == stage]  # all of a stage need the same
        sizes = (f"{same[0]['memory'][kind] / 1e9:.2f}" for kind in kinds)
        layers = "{}-{}".format(*same[0]["layers"])
        table.add_row(
            _ranks([one["rank"] for one in same]), str(stage), layers, f"{same[0]['parameters']:,}", *sizes
        )
    return table


def _slice_table(slices: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table("stage", "parameter", "number", "slice", "cut", box=None, pad_edge=False)
    for line in slices:
        shape = " × ".join(str(size) for size in line["shape"])
        table.add_row(str(line["stage"]), line["name"], str(line["count"]), shape, line["cut"])
    return table


def _show_fit(console: Any, result: dict[str, Any]) -> None:
    fullest = max(result["ranks"], key=lambda one: one["memory"]["total"])
    need, capacity = fullest["memory"]["total"] / 1e9, result["device_memory"] / 1e9
    if not result["too_full"]:
        console.print(f"every rank fits {capacity:.1f} GB; rank {fullest['rank']} needs most, {need:.1f} GB")
        return
    console.print(f"not in {capacity:.1f} GB: ranks {_ranks(result['too_full'])}, up to {need:.1f} GB each")
    for change in result["ways_to_fit"]:
        console.print(f"would fit: --set {change.replace(' ', ' --set ')}", markup=False)
    if not result["ways_to_fit"]:
        console.print("no layout of as many ranks fits, with recomputing and shared optimizer states neither")


def _ranks(ranks: list[int] | tuple[int, ...]) -> str:
    """Return ranks in few words: `0-7`, `0,8`, `0,4,8,…,28`."""
    if len(ranks) > 2 and ranks[-1] - ranks[0] == len(ranks) - 1:
        return f"{ranks[0]}-{ranks[-1]}"
    return ",".join(str(rank) for rank in ranks)
