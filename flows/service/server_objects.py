"""What `mindrail up` creates on Prefect's server beside the deployments: limits and automations.

Nothing that is there already is changed: it may be a person's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound

from flows.service.automations import create_automations
from flows.service.deployments import POOL
from flows.service.options import Options
from modelcore.launching.host_share import devices_of_host
from tasks.global_limit import limit_name

__all__ = ["create_limits_and_automations"]


def create_limits_and_automations(options: Options) -> list[str]:
    """Create the limits and automations that are missing, and return what was created, one line each."""
    with get_client(sync_client=True) as client:
        if client.read_work_pool(POOL).concurrency_limit is None:
            client.update_work_pool(POOL, WorkPoolUpdate(concurrency_limit=options.limit))
        limits = [_create_limit(client, kind, count) for kind, count in _of_this_host()]
        return [*filter(None, limits), *(f"automation: {name}" for name in create_automations(client))]


def _of_this_host() -> Iterator[tuple[str, int]]:
    yield "core", len(os.sched_getaffinity(0))
    if devices := devices_of_host():
        yield "device", len(devices)


def _create_limit(client: SyncPrefectClient, kind: str, count: int) -> str:
    """Create the limit on this host's cores or devices, and say so; "" if it is there."""
    name = limit_name(kind)
    try:
        client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=count))
        return f"limit: {name}, {count}"
    return ""
