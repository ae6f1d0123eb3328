"""What a run shows on Prefect's dashboard: progress on a task run's page, tables and texts on the run's.

A command without a server starts one of its own that has no dashboard; nothing is sent to that one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext, TaskRunContext

from tasks.progress import Speed, time_left

__all__ = ["DashboardProgress", "is_watched", "show_markdown", "show_table"]

_EVERY = 5.0  # seconds between two updates; one costs the server 20 ms
_OWN_SERVER = "MINDRAIL_TEMPORARY_SERVER"  # set by flows.cli.temporary_server


def is_watched() -> bool:
    """Return whether this runs as part of a flow on a server with a dashboard."""
    running = FlowRunContext.get() or TaskRunContext.get()
    return running is not None and _OWN_SERVER not in os.environ


class DashboardProgress:
    """A progress artifact on the task run's page, created after the first few seconds of work."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._updated = time.monotonic()
        self._speed = Speed()
        self._artifact: UUID | None = None

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        """Update the artifact, every few seconds at most."""
        now = time.monotonic()
        left = time_left(done, total, self._speed.update(done, now))
        if not total or now - self._updated < _EVERY:
            return
        self._updated = now
        share = min(100.0, 100.0 * done / total)
        words = f"{self._title}: " + ", ".join(filter(None, [note or unit, left]))
        if self._artifact is None:
            created = create_progress_artifact(share, description=words)
            assert isinstance(created, UUID)  # outside a coroutine it is no awaitable
            self._artifact = created
        else:
            update_progress_artifact(self._artifact, share, description=words)


def show_table(key: str, rows: Sequence[dict[str, Any]], description: str) -> None:
    """Put a table on the flow run's page, where there is one."""
    if is_watched():
        create_table_artifact(table=list(rows), key=key, description=description)


def show_markdown(key: str, text: str) -> None:
    """Put a text on the flow run's page, where there is one."""
    if is_watched():
        create_markdown_artifact(text, key=key)
