"""Write Alpaca records as conversations."""

from __future__ import annotations

from pathlib import Path

from modelcore.data.sources.conversations import convert_alpaca
from modelcore.progress import Progress
from modelcore.store.store import Store
from tasks.step import Step
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["CONVERSATIONS", "conversations"]

_VERSION = 1
CONVERSATIONS = "conversations.json"
"""The file of an artifact that holds the conversations, one JSON list."""


@step_task("conversations")
def conversations(store: Store, source: Step, *, skip_bad: bool) -> Outcome:
    """Write the Alpaca records of a file as conversations, one JSON list."""

    def build(directory: Path, progress: Progress) -> None:
        (directory / CONVERSATIONS).unlink(missing_ok=True)  # of an attempt that died
        convert_alpaca(source.path, directory / CONVERSATIONS, skip_bad=skip_bad, progress=progress)

    return build_step(
        store,
        "conversations",
        build,
        version=_VERSION,
        inputs={"data": source.digest},
        parameters={"skip_bad": skip_bad},
    )
