"""`mindrail layout --simulate`: what host failures cost a run, and how often it should save."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from modelcore.boundary.files import read_file
from modelcore.boundary.json_text import BadJson, parse_json
from modelcore.cluster.goodput import Durations, outlook
from modelcore.errors import MindrailError

__all__ = ["show", "simulate", "simulation_options"]

_HOSTS = tuple(2**power for power in range(1, 11))
_LARGEST_TIMINGS = 64 << 20  # bytes; a step has 60
_POSITIVE = click.FloatRange(min=0, min_open=True)


def simulation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `--simulate` to a command."""
    options = (
        click.option("--simulate", is_flag=True, help="Show what failing hosts cost, for 2 to 1,024 hosts."),
        click.option("--step-time", type=_POSITIVE, metavar="SECONDS", help="Of one step, for --simulate."),
        click.option(
            "--measured",
            type=click.Path(path_type=Path),
            help="Artifact of `launch` whose median step is taken instead of --step-time.",
        ),
        click.option("--checkpoint-time", type=_POSITIVE, default=60.0, show_default=True, metavar="SECONDS"),
        click.option("--restart-time", type=_POSITIVE, default=120.0, show_default=True, metavar="SECONDS"),
        click.option(
            "--host-mtbf",
            type=_POSITIVE,
            default=2000.0,
            show_default=True,
            metavar="HOURS",
            help="Mean time between two failures of one host.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def simulate(
    every: int,
    *,
    step_time: float | None,
    measured: Path | None,
    checkpoint_time: float,
    restart_time: float,
    host_mtbf: float,
) -> dict[str, Any]:
    """Return the table as plain values.

    Args:
        every: steps between two checkpoints of the run.
        step_time, measured, checkpoint_time, restart_time, host_mtbf: the options.

    Raises:
        MindrailError: there is no step time, or two.
    """
    if (step_time is None) == (measured is None):
        raise MindrailError("give either --step-time or --measured", where="--simulate")
    seconds = _median_step(measured) if measured is not None else step_time
    assert seconds is not None
    times = Durations(seconds, checkpoint_time, restart_time, host_mtbf * 3600)
    rows = [asdict(outlook(hosts, every, times)) for hosts in _HOSTS]
    return {"seconds": asdict(times), "checkpoint_every": every, "hosts": rows}


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    times, every = result["seconds"], result["checkpoint_every"]
    click.echo(
        f"step {times['step']:.3g} s, checkpoint {times['checkpoint']:g} s, restart {times['restart']:g} s, "
        f"a host fails every {times['host_mtbf'] / 3600:g} hours"
    )
    click.echo(f"{'hosts':>5}  {'failures/day':>12}  {'best checkpoint_every':>21}  goodput  with {every}")
    for row in result["hosts"]:
        click.echo(
            f"{row['hosts']:>5}  {row['failures']:>12.3g}  {row['interval']:>21,}  {row['best']:>7.1%}  "
            f"{row['given']:.1%}"
        )


def _median_step(artifact: Path) -> float:
    path = artifact / "logs" / "timings.jsonl"
    if not path.is_file():
        raise MindrailError("no such file", where=path, fix="name an artifact of launch: store/launch/KEY")
    try:
        seconds = [parse_json(line)["seconds"] for line in read_file(path, _LARGEST_TIMINGS).splitlines()]
        return float(statistics.median(seconds))
    except (BadJson, KeyError, TypeError, statistics.StatisticsError) as error:
        raise MindrailError("not the seconds of steps", where=path, fix="name another artifact") from error
