"""`mindrail up`, `down`, `status`: Prefect's server, a worker, the reports, Ray; on this machine for good."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from modelcore.versions import check_versions

__all__ = ["down", "status", "up"]

_STORE = Path("store")


@command_line.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=4200,
    show_default=True,
    type=click.IntRange(1, 65532),
    help="Reports: the next one; Ray: the two after it.",
)
@click.option(
    "--database",
    envvar="PREFECT_API_DATABASE_CONNECTION_URL",
    default="",
    metavar="URL",
    help="postgresql+asyncpg://…, for more than one person; SQLite in the store otherwise.",
)
@click.option(
    "--auth",
    envvar="PREFECT_SERVER_API_AUTH_STRING",
    default="",
    metavar="USER:PASSWORD",
    help="Ask clients for it. Better given as PREFECT_SERVER_API_AUTH_STRING: others see a command line.",
)
@click.option("--limit", default=1, show_default=True, type=click.IntRange(1), help="Runs done side by side.")
@click.option("--ray", is_flag=True, help="Start the head of a Ray cluster, too, for runs on several hosts.")
@store_option
@as_json
def up(
    host: str,
    port: int,
    database: str,
    auth: str,
    limit: int,
    ray: bool,
    store: Path | None,
    as_json: bool,
) -> None:
    """Start all that a dashboard needs, and return when it answers: `mindrail down` ends it.

    Prefect's server, its work pool, every deployment (schedules switched off), automations (a run without
    heartbeats has crashed; a crashed run runs once more), a worker, and a read-only server for the reports.
    What is there already stays as it is. `--ray` needs mindrail[cluster]; the cluster has a token of its own.
    """
    check_versions()
    from flows.service.local_service import LocalService
    from flows.service.options import Options

    if not auth and not _is_loopback(host):
        click.echo(
            f"warning: everybody who reaches {host}:{port} can run programs here; set --auth", err=True
        )
    options = Options((store or _STORE).absolute(), host, port, database, auth, limit, ray)
    done = LocalService(options.store).start(options)
    result = {
        "done": done,
        "dashboard": options.api.removesuffix("/api"),
        "api": options.api,
        "reports": options.reports,
        "ray": os.environ["RAY_ADDRESS"] if ray else None,
        "auth": bool(auth),
    }
    emit(result, as_json, _show_up)


@command_line.command()
@store_option
@as_json
def down(store: Path | None, as_json: bool) -> None:
    """End what `mindrail up` started, and nothing else. Its runs end with it and resume when run again."""
    from flows.service.local_service import LocalService

    ended = LocalService(store or _STORE).stop()
    emit({"ended": ended}, as_json, lambda _: click.echo(f"ended: {', '.join(ended) or 'nothing ran'}"))


@command_line.command()
@store_option
@as_json
def status(store: Path | None, as_json: bool) -> None:
    """Ask each part of `mindrail up` whether it works. The exit code is 1 if one does not.

    With a password, the worker can be asked for only if PREFECT_API_AUTH_STRING is set.
    """
    from flows.service.local_service import LocalService

    service = LocalService(store or _STORE)
    health = service.health(os.environ.get("PREFECT_API_AUTH_STRING", ""))
    processes = service.processes
    rows = {
        name: {
            "running": processes.is_running(name),
            "healthy": one.good,
            "health": one.text,
            "options": processes.settings(name),
            "log": str(processes.log(name)),
        }
        for name, one in health.items()
    }
    emit(rows, as_json, _show_status)
    if any(row["healthy"] is False for row in rows.values()):
        raise click.exceptions.Exit(1)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _show_up(result: dict[str, Any]) -> None:
    for line in result["done"] or ["all of it runs already"]:
        click.echo(line)
    click.echo(f"dashboard  {result['dashboard']}")
    click.echo(f"reports    {result['reports']}")
    if result["ray"]:
        click.echo(f"Ray        {result['ray']}, token: {os.environ.get('RAY_AUTH_TOKEN_PATH', 'yours')}")
    click.echo(f"for other commands: export PREFECT_API_URL={result['api']}")
    if result["auth"]:
        click.echo("and PREFECT_API_AUTH_STRING=USER:PASSWORD")


def _show_status(rows: dict[str, Any]) -> None:
    for name, row in rows.items():
        click.echo(f"{name:<8} {row['health']}; log: {row['log']}")
