"""`mindrail cluster check`: whether the hosts of a Ray cluster can do a run, before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit
from flows.kinds import KINDS
from modelcore.cluster.launch import check_ray
from modelcore.config.kinds import read_any
from modelcore.config.runs import Training
from modelcore.errors import MindrailError
from modelcore.store.location import store_directory
from modelcore.units import format_bytes
from tasks.preflight.directories import Directories
from tasks.preflight.disk_space import disk_needs
from tasks.preflight.source import check_source

__all__ = ["cluster"]


@command_line.group()
def cluster() -> None:
    """Look at the Ray cluster that a run's launch.cluster names."""


@cluster.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one key.")
@as_json
def check(config: Path, changes: tuple[str, ...], as_json: bool) -> None:
    """Ask every host of the cluster whether it can take part in CONFIG's run; exit code 1 if one cannot.

    Compares versions, mindrail's own files, clocks, and what hosts and driver see of each other's files in
    the store; compares its free space with what the run writes; connects every host to every other on a port
    that MindSpore's scheduler could get, and measures how fast each fetches from the first one through Ray.
    """
    run = read_any(config, "launch", command="cluster", kinds=KINDS, changes=changes)
    assert isinstance(run, Training)  # the kinds with that section
    if run.launch.cluster is None:
        raise MindrailError("is not given: the run uses this host alone", where=f"{config}: launch.cluster")
    check_ray(run.launch.cluster.address)
    from modelcore.cluster.checks import check_cluster

    store = store_directory(run.store).absolute()
    needs = disk_needs(run, Directories(store, check_source(run.download, weights=False)))
    hosts, problems = check_cluster(run.launch.cluster, store, sum(needs.values()))
    rows = [
        {
            "address": host.address,
            "name": host.report.name if host.report else None,
            "fits": host.fits,
            "versions": host.report.versions if host.report else {},
            "cores": host.report.cores if host.report else None,
            "devices": host.report.devices if host.report else None,
            "free": host.report.free if host.report else None,
            "clock": round(host.clock, 3),
            "bandwidth": host.bandwidth,
        }
        for host in hosts
    ]
    emit({"hosts": rows, "problems": problems}, as_json, _show)
    if problems:
        raise click.exceptions.Exit(1)


def _show(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = (
        "host",
        "name",
        "fits",
        "cores",
        "devices",
        "free on the store",
        "clock",
        "from the first host",
    )
    table = Table(*columns, box=None, pad_edge=False)
    for row in result["hosts"]:
        table.add_row(
            row["address"],
            row["name"] or "no answer",
            "yes" if row["fits"] else "no",
            str(row["cores"] if row["cores"] is not None else ""),
            str(row["devices"] if row["devices"] is not None else ""),
            "" if row["free"] is None else format_bytes(row["free"]),
            f"{row['clock']:+.1f} s",
            f"{format_bytes(int(row['bandwidth']))}/s" if row["bandwidth"] else "",
        )
    console = Console(soft_wrap=True, highlight=False, width=160)
    console.print(table)
    for problem in result["problems"]:
        console.print(f"wrong: {problem}", markup=False)
    if not result["problems"]:
        console.print("all hosts agree")
