"""`mindrail deploy`: every deployment on a Prefect server, with schedules that are off until switched on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit
from flows.cli.configured_server import check_configured_server, one_line_outages
from flows.cli.temporary_server import QUIET
from flows.service.deployments import POOL, SLUG, Deployment, deployments, prefect_yaml
from modelcore.errors import MindrailError, StepFailed

__all__ = ["deploy", "deploy_all"]

_ROOT = Path(__file__).parents[2]
"""The directory from which `flows` is imported: the checkout, or site-packages."""


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
    with one_line_outages():
        created = deploy_all()
    result = {"deployments": [one.full_name for one in deployments()], "schedules_created": created}
    emit(result, as_json, _show)


def deploy_all() -> list[str]:
    """Create the pool, every deployment and missing schedules; return the deployments that got a schedule."""
    _create_pool()
    _deploy()
    return _create_schedules(deployments())


def _create_pool() -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        except ObjectAlreadyExists:
            return


def _deploy() -> None:
    """Run `prefect deploy` on the text of prefect.yaml, which a wheel does not contain.

    Raises:
        StepFailed: it failed; the last line that it printed is in the error.
    """
    environment = {"MINDRAIL_HOME": str(Path.cwd()), **os.environ}
    with TemporaryDirectory() as directory:
        file = Path(directory) / "prefect.yaml"
        file.write_text(prefect_yaml(), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "prefect",
            "--no-prompt",
            "deploy",
            "--all",
            "--prefect-file",
            str(file),
        ]
        done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        printed = (done.stderr or done.stdout).strip().splitlines()
        raise StepFailed(f"`prefect deploy` failed: {printed[-1] if printed else done.returncode}")


def _create_schedules(every: Iterable[Deployment]) -> list[str]:
    """Create the schedules that are missing, switched off; return the names of their deployments."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule

    created = []
    with get_client(sync_client=True) as client:
        for one in every:
            if not one.cron:
                continue
            found = client.read_deployment_by_name(one.full_name)
            if not found.schedules:
                off = DeploymentScheduleCreate(schedule=CronSchedule(cron=one.cron), active=False, slug=SLUG)
                client.create_deployment_schedules(found.id, [off])
                created.append(one.full_name)
    return created


def _show(result: dict[str, Any]) -> None:
    created = result["schedules_created"]
    click.echo(f"{len(result['deployments'])} deployments; {len(created)} schedules created, switched off")
    click.echo(f"a worker does their runs: prefect worker start --pool {POOL}")
