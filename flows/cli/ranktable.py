"""Commands about rank tables: `ranktable create` on each host, `ranktable merge` on one of them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit
from modelcore.errors import MindrailError
from modelcore.launching.host_devices import HCCN_CONF, device_addresses, read_hosts_file
from modelcore.launching.rank_table import RankTable, merge_rank_tables, rank_table_of_host
from modelcore.launching.rank_table_file import read_rank_table, write_rank_table

__all__ = ["ranktable"]

_output = click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="File to write; by default hccl_… in this directory, as MindFormers names it.",
)


@command_line.group()
def ranktable() -> None:
    """Make the rank table (RANK_TABLE_FILE) of a job that is started by hand on Ascend hosts."""


@ranktable.command()
@click.option(
    "--server-id", metavar="ADDRESS", help="This host's address, by which the other hosts reach it."
)
@click.option("--conf", type=click.Path(path_type=Path), default=HCCN_CONF, help="Ascend's hccn.conf.")
@click.option(
    "--hosts",
    type=click.Path(path_type=Path),
    help="Instead of asking this host: a file with a line per host, its address and those of its devices.",
)
@_output
@as_json
def create(server_id: str | None, conf: Path, hosts: Path | None, output: Path | None, as_json: bool) -> None:
    """Write the rank table of this host, or of all hosts in a file.

    The devices' addresses are those in hccn.conf; where there is none, hccn_tool is asked.
    """
    if hosts is not None:
        table = read_hosts_file(hosts)
    else:
        table = rank_table_of_host(server_id or _own_address(), device_addresses(conf))
    _write(table, output, as_json)


@ranktable.command()
@click.argument("tables", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--keep-order", is_flag=True, help="Rank hosts in the order of TABLES, not of the numbers in their names."
)
@_output
@as_json
def merge(tables: tuple[Path, ...], keep_order: bool, output: Path | None, as_json: bool) -> None:
    """Join TABLES of several hosts into one, which every host then needs.

    ModelArts' jobstart_hccl.json is read in both of its forms. A host or an address that occurs twice, ranks
    that are missing and versions that differ are refused.
    """
    table = merge_rank_tables([read_rank_table(path) for path in tables], sort=not keep_order)
    _write(table, output, as_json)


def _write(table: RankTable, output: Path | None, as_json: bool) -> None:
    path = output or Path(table.file_name)
    write_rank_table(table, path)
    servers = [
        {"server_id": server.server_id, "ranks": [device.rank_id for device in server.devices]}
        for server in table.servers
    ]
    emit({"path": str(path), "world_size": table.world_size, "servers": servers}, as_json, _show)


def _show(result: dict[str, Any]) -> None:
    for server in result["servers"]:
        ranks = server["ranks"]
        click.echo(f"{server['server_id']:<16}ranks {ranks[0]}-{ranks[-1]}")
    click.echo(result["path"])


def _own_address() -> str:
    """Return this host's address if there is but one that others can reach.

    Raises:
        MindrailError: there are several, or none.
    """
    import psutil

    found = sorted(
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    )
    if len(found) != 1:
        has = f"this host has {', '.join(found)}" if found else "this host has no address"
        raise MindrailError(has, where="--server-id", fix="name the one by which other hosts reach it")
    return found[0]
