"""`mindrail notify`: messages when a run has failed or finished, and when a score is the best so far."""

from __future__ import annotations

import os
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit
from flows.cli.configured_server import check_configured_server, one_line_outages
from flows.cli.temporary_server import QUIET
from modelcore.errors import MindrailError

__all__ = ["notify"]

_KEY = "SENDGRID_API_KEY"
_OCCASIONS = ("failed", "finished", "best")


@command_line.command()
@click.option(
    "--webhook",
    envvar="MINDRAIL_WEBHOOK",
    metavar="URL",
    help='Post {"text": …} there. Better given as MINDRAIL_WEBHOOK: others see a command line.',
)
@click.option(
    "--email",
    multiple=True,
    metavar="ADDRESS",
    help=f"Send a mail there through SendGrid, with the key in {_KEY}; again for more.",
)
@click.option("--sender", metavar="ADDRESS", help="From whom the mails are; the first --email by default.")
@click.option(
    "--on",
    "occasions",
    multiple=True,
    type=click.Choice(_OCCASIONS),
    default=_OCCASIONS,
    help="When: a run failed or crashed; finished; a score beats all earlier ones. All three by default.",
)
@as_json
def notify(
    webhook: str | None,
    email: tuple[str, ...],
    sender: str | None,
    occasions: tuple[str, ...],
    as_json: bool,
) -> None:
    """Create the automations that send messages, on the server that PREFECT_API_URL names.

    The server sends them, so a run that was killed is reported, too. The address and the key are kept as
    secrets of Prefect blocks (mindrail-webhook, mindrail-mail). Called again, it takes the new address and
    leaves automations as they are; pause, change or delete them on the dashboard.
    """
    os.environ.update(QUIET)
    if not webhook and not email:
        raise MindrailError("nowhere to send to", where="notify", fix="give --webhook URL or --email ADDRESS")
    key = os.environ.get(_KEY, "")
    if email and not key:
        raise MindrailError("mails need SendGrid's API key", where=_KEY, fix="export it, or use --webhook")
    if not os.environ.get("PREFECT_API_URL"):
        raise MindrailError(
            "no Prefect server is configured", where="PREFECT_API_URL", fix="run `mindrail up`"
        )
    check_configured_server()
    from flows.service.notifications import OCCASIONS, notify_by_email, notify_by_webhook

    chosen = [one for one in OCCASIONS if one in occasions]
    with one_line_outages():
        created = notify_by_webhook(webhook, chosen) if webhook else []
        if email:
            created += notify_by_email(email, sender or email[0], key, chosen)
    emit({"created": created}, as_json, _show)


def _show(result: dict[str, Any]) -> None:
    for name in result["created"]:
        click.echo(f"automation: {name}")
    if not result["created"]:
        click.echo("the automations are there already; the address is the new one")
