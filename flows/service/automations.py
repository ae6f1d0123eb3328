"""What Prefect's server does for mindrail's runs: notice lost ones, and run crashed ones once more.

Only runs of mindrail's deployments (their tag is `mindrail`) are concerned. An automation that a person has
changed or paused stays as it is.
"""

from __future__ import annotations

from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from tasks.reporter import RUN_AGAIN

__all__ = ["create_automations"]

_LOST_AFTER = timedelta(seconds=90)  # three heartbeats
_RERUN_AFTER = timedelta(seconds=30)  # a worker reports a crash twice, 3 s apart
_BEGIN = "prefect.flow-run.Running"  # it may die before its first heartbeat
_HEARTBEAT = "prefect.flow-run.heartbeat"
_ENDS = {f"prefect.flow-run.{name}" for name in ("Completed", "Failed", "Cancelled", "Crashed")}
_LIVES = {f"prefect.flow-run.{name}" for name in ("Scheduled", "AwaitingRetry", "Pending", "Running")}


def create_automations(client: SyncPrefectClient) -> list[str]:
    """Create the automations that are missing, and return their names."""
    created = []
    for automation in (_lost(), _crashed()):
        if not client.read_automations_by_name(automation.name):
            client.create_automation(automation)
            created.append(automation.name)
    return created


def _lost() -> AutomationCore:
    return AutomationCore(
        name="mindrail: a run without heartbeats has crashed",
        description="Its host, its worker or its process is gone.",
        trigger=_absence(after={_HEARTBEAT, _BEGIN}, of={_HEARTBEAT, *_ENDS}, within=_LOST_AFTER),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat for 90 s")],
    )


def _crashed() -> AutomationCore:
    """The delay lets both reports of a crash pass; the run itself ends if it was run again before."""
    return AutomationCore(
        name="mindrail: a crashed run runs once more",
        description="It resumes from what is in the store. A second crash ends it.",
        trigger=_absence(
            after={"prefect.flow-run.Crashed"},
            of=_LIVES | {"prefect.flow-run.Cancelled"},
            within=_RERUN_AFTER,
        ),
        actions=[ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry", message=RUN_AGAIN)],
    )


def _absence(*, after: set[str], of: set[str], within: timedelta) -> EventTrigger:
    return EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.id": "prefect.tag.mindrail", "prefect.resource.role": "tag"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        after=after,
        expect=of,
        threshold=1,
        within=within,
    )
