"""Notifications through Prefect: blocks that send them and automations that say when.

Sent by Prefect's server, so a run that was killed is reported, too. Addresses and keys are secrets of blocks.
An automation that is there already is left alone; a block takes the newest address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SendgridEmail
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from pydantic import SecretStr

from tasks.best_score import BEST_SCORE

__all__ = ["OCCASIONS", "Occasion", "notify_by_email", "notify_by_webhook"]

Occasion = Literal["failed", "finished", "best"]
OCCASIONS: tuple[Occasion, ...] = ("failed", "finished", "best")

_RUN = "{{ flow_run.name }} ({{ flow.name }})"
_LINK = "{{ flow_run|ui_url }}"


@dataclass(frozen=True)
class _Message:
    """What is sent when an event comes: Jinja templates, which the server fills in."""

    events: tuple[str, ...]
    subject: str
    body: str
    of_run: bool = True


_MESSAGES: Mapping[Occasion, _Message] = {
    "failed": _Message(
        ("prefect.flow-run.Failed", "prefect.flow-run.Crashed"),
        f"mindrail: {_RUN} {{{{ flow_run.state.name|lower }}}}",
        f"{{{{ flow_run.state.message }}}}\n{_LINK}",
    ),
    "finished": _Message(("prefect.flow-run.Completed",), f"mindrail: {_RUN} finished", _LINK),
    "best": _Message(
        (BEST_SCORE,),
        "mindrail: new best score on {{ event.payload.benchmark }}",
        "{{ event.payload.text }}",
        of_run=False,
    ),
}


def notify_by_webhook(url: str, occasions: Sequence[Occasion]) -> list[str]:
    """Let the server post `{"text": …}` to a URL, which Slack and Mattermost accept; return what is new."""
    block = CustomWebhookNotificationBlock(
        name="mindrail",
        url="{{url}}",
        json_data={"text": "{{subject}}\n{{body}}"},
        secrets={"url": url},
    )
    return _create("webhook", _save(block, "mindrail-webhook"), occasions)


def notify_by_email(to: Sequence[str], sender: str, api_key: str, occasions: Sequence[Occasion]) -> list[str]:
    """Let the server send mails through SendGrid, the mail service that Prefect has; return what is new."""
    block = SendgridEmail(api_key=SecretStr(api_key), sender_email=sender, to_emails=list(to))
    return _create("mail", _save(block, "mindrail-mail"), occasions)


def _save(block: NotificationBlock, name: str) -> UUID:
    return UUID(str(block.save(name, overwrite=True)))


def _create(way: str, block: UUID, occasions: Sequence[Occasion]) -> list[str]:
    with get_client(sync_client=True) as client:
        return [name for one in occasions if (name := _create_automation(client, way, block, one))]


def _create_automation(client: SyncPrefectClient, way: str, block: UUID, occasion: Occasion) -> str:
    """Create an automation and return its name; "" if it is there."""
    name = f"mindrail: {way} when {_WHEN[occasion]}"
    if client.read_automations_by_name(name):
        return ""
    message = _MESSAGES[occasion]
    client.create_automation(
        AutomationCore(
            name=name,
            description="Created by `mindrail notify`; pause or change it here.",
            trigger=_trigger(message),
            actions=[SendNotification(block_document_id=block, subject=message.subject, body=message.body)],
        )
    )
    return name


_WHEN: Mapping[Occasion, str] = {
    "failed": "a run has failed",
    "finished": "a run has finished",
    "best": "a score is the best so far",
}


def _trigger(message: _Message) -> EventTrigger:
    """Trigger once for each event; of runs, only those of mindrail's deployments."""
    tag = {"prefect.resource.id": "prefect.tag.mindrail", "prefect.resource.role": "tag"}
    return EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"} if message.of_run else {},
        match_related=tag if message.of_run else {},
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        expect=set(message.events),
        threshold=1,
        within=timedelta(0),
    )
