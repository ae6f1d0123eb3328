"""What `mindrail up` creates on Prefect's server beside the deployments: limits and automations.

Nothing that is there already is changed: it may be a person's.
"""

from __future__ import annotations

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolUpdate

from flows.service.automations import create_automations
from flows.service.deployments import POOL
from flows.service.options import Options

__all__ = ["create_limits_and_automations"]


def create_limits_and_automations(options: Options) -> list[str]:
    """Create the limits and automations that are missing, and return what was created, one line each."""
    with get_client(sync_client=True) as client:
        if client.read_work_pool(POOL).concurrency_limit is None:
            client.update_work_pool(POOL, WorkPoolUpdate(concurrency_limit=options.limit))
        return [f"automation: {name}" for name in create_automations(client)]
