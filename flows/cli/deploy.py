"""`mindrail deploy`: every deployment on a Prefect server, with schedules that are off until switched on."""

from __future__ import annotations

import os
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit
from flows.cli.configured_server import check_configured_server, one_line_outages
from flows.cli.temporary_server import QUIET
from flows.service.deployments import POOL, deployments
from modelcore.errors import MindrailError

__all__ = ["deploy"]


@command_line.command()
@as_json
def deploy(as_json: bool) -> None:
    """Put every flow and every shipped YAML on the Prefect server that PREFECT_API_URL names.

    The work pool is created if it is missing, and so is the schedule of a deployment that has none, switched
    off. Schedules that are there stay as they are. MINDRAIL_HOME is the directory in which a worker runs; the
    current one if it is not set.
    """
    os.environ.update(QUIET)
    from prefect.settings import get_current_settings

    if get_current_settings().api.url is None:
        raise MindrailError(
            "no Prefect server is configured",
            where="PREFECT_API_URL",
            fix="start one with `prefect server start`, then export PREFECT_API_URL=http://127.0.0.1:4200/api",
        )
    check_configured_server()
    from flows.service.deploying import deploy_all

    with one_line_outages():
        created = deploy_all()
    result = {"deployments": [one.full_name for one in deployments()], "schedules_created": created}
    emit(result, as_json, _show)


def _show(result: dict[str, Any]) -> None:
    created = result["schedules_created"]
    click.echo(f"{len(result['deployments'])} deployments; {len(created)} schedules created, switched off")
    click.echo(f"a worker does their runs: prefect worker start --pool {POOL}")
