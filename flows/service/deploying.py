"""Puts the deployments on the Prefect server that PREFECT_API_URL names, and leaves alone what is a person's.

Schedules are created with a deployment, switched off, and never changed again; a deployment is updated only
if something in it differs. `prefect deploy` on prefect.yaml does the same, more slowly.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.callables import parameter_schema

from flows.service.deployments import ENVIRONMENT, POOL, SLUG, Deployment, deployments

__all__ = ["create_pool", "deploy_all"]


def create_pool() -> None:
    """Create the work pool if it is missing."""
    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        except ObjectAlreadyExists:
            return


def deploy_all() -> list[str]:
    """Create the pool, every deployment and missing schedules; return the deployments that got a schedule."""
    create_pool()
    with get_client(sync_client=True) as client:
        flows: dict[str, Any] = {}
        created = []
        for one in deployments():
            flow = _flow_of(one)
            if flow.name not in flows:
                flows[flow.name] = client.create_flow_from_name(flow.name)
            if _deploy(client, one, flows[flow.name], _content(one, flow)):
                created.append(one.full_name)
    return created


def _deploy(client: SyncPrefectClient, one: Deployment, flow_id: Any, content: dict[str, Any]) -> bool:
    """Create or update a deployment; return whether it got a schedule."""
    present = _find(client, one)
    schedules = [] if not one.cron else [_switched_off(one)]
    if present is None:
        client.create_deployment(
            flow_id, one.name, schedules=schedules, enforce_parameter_schema=True, **content
        )
        return bool(schedules)
    if _differs(present, content):
        client.update_deployment(present.id, DeploymentUpdate(**content))
    if present.schedules or not schedules:
        return False
    client.create_deployment_schedules(present.id, schedules)
    return True


def _find(client: SyncPrefectClient, one: Deployment) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(one.full_name)
    except ObjectNotFound:
        return None


def _content(one: Deployment, flow: Flow[..., Any]) -> dict[str, Any]:
    """Return what of a deployment is ours: all but its schedules, its limits and whether it is paused."""
    home = os.environ.get("MINDRAIL_HOME", str(Path.cwd()))
    return {
        "description": one.description,
        "tags": list(one.tags),
        "parameters": dict(one.parameters),
        "work_pool_name": POOL,
        "entrypoint": one.entrypoint,
        "job_variables": {"env": dict(ENVIRONMENT)},
        "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": home}}],
        "parameter_openapi_schema": parameter_schema(flow).model_dump(mode="json"),
    }


def _differs(present: DeploymentResponse, content: dict[str, Any]) -> bool:
    there = present.model_dump(mode="json")
    return any(there[key] != value for key, value in content.items())


def _switched_off(one: Deployment) -> DeploymentScheduleCreate:
    return DeploymentScheduleCreate(schedule=CronSchedule(cron=one.cron), active=False, slug=SLUG)


def _flow_of(one: Deployment) -> Flow[..., Any]:
    module, _, name = one.entrypoint.rpartition(".")
    flow: Flow[..., Any] = getattr(import_module(module), name)
    return flow
