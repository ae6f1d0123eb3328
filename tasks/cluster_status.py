"""What a training on several hosts shows on Prefect's dashboard: a failure first, then hosts and attempts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from modelcore.cluster.records import Ended, Event, Failure, Resumed, Started, in_words, read_attempts
from tasks.progress import in_words as progress_in_words
from tasks.reporter import ShownArtifact, current_reporter

__all__ = ["ClusterStatus", "cluster_as_markdown"]

_EVERY = 5.0  # seconds between two updates while nothing but progress changes
_KEY = "cluster"


class ClusterStatus:
    """A text on the run's page, renewed while a job runs on a cluster.

    Args:
        logs: the job's, with its journal of attempts.
        ranks_per_host: of the job.
    """

    def __init__(self, logs: Path, ranks_per_host: int) -> None:
        self._logs, self._ranks_per_host = logs, ranks_per_host
        self._before = len(read_attempts(logs))  # of earlier runs of the same job
        self._events: list[Event] = []
        self._updated = float("-inf")
        self._shown: ShownArtifact | None = None
        self._progress = ""

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        """Show rank 0's progress, every few seconds at most, and what happened to the attempts at once."""
        self._progress = progress_in_words(done, total, unit, None, note)
        events = read_attempts(self._logs)[self._before :]
        if events != self._events or time.monotonic() - self._updated >= _EVERY:
            self._show(events)

    def finish(self) -> None:
        """Show the last state."""
        self._progress = ""
        self._show(read_attempts(self._logs)[self._before :])

    def _show(self, events: list[Event]) -> None:
        self._events, self._updated = events, time.monotonic()
        reporter = current_reporter()
        if reporter is None:
            return
        if self._shown is None:
            self._shown = ShownArtifact(reporter, "markdown", _KEY)
        text = cluster_as_markdown(events, self._ranks_per_host, self._progress)
        self._shown.show(text, in_words(events[-1]) if events else "waiting for hosts")


def cluster_as_markdown(events: Sequence[Event], ranks_per_host: int, progress: str) -> str:
    """Return the state of a job.

    Args:
        events: of its attempts, in order.
        ranks_per_host: of the job.
        progress: of rank 0 in words; "" if no rank runs.
    """
    parts = [*_failure(events), *_hosts(events, ranks_per_host, progress), *_timeline(events)]
    return "\n\n".join(parts) or "waiting for hosts"


def _failure(events: Sequence[Event]) -> Iterator[str]:
    """Yield the newest failure: what failed first, what was done about it, and the last lines of its log."""
    ended = next((event for event in reversed(events) if isinstance(event, Ended) and event.failure), None)
    if ended is None or ended.failure is None:
        return
    failure = ended.failure
    after = next((e for e in events if isinstance(e, Resumed) and e.attempt > ended.attempt), None)
    lost = f"{after.lost:g} steps lost" if after else f"{ended.done:g} steps were done"
    yield f"### Attempt {ended.attempt} failed: {failure.kind}"
    yield _table(
        ("host", "process", "how it ended", "what was done", "steps"),
        [(failure.host, failure.process or "the host", failure.exit or "-", ended.action, lost)],
    )
    yield _quoted(failure)


def _quoted(failure: Failure) -> str:
    lines = "\n".join(f"    {line}" for line in failure.tail)
    return f"{failure.what}\n\n{lines}" if lines else failure.what


def _hosts(events: Sequence[Event], ranks_per_host: int, progress: str) -> Iterator[str]:
    started = next((event for event in reversed(events) if isinstance(event, Started)), None)
    if started is None:
        return
    rows = []
    for index, host in enumerate(started.hosts):
        first = index * ranks_per_host
        ranks = str(first) if ranks_per_host == 1 else f"{first}-{first + ranks_per_host - 1}"
        rows.append((host, ranks, progress if index == 0 else ""))
    yield f"### Attempt {started.attempt}"
    yield _table(("host", "ranks", "progress of rank 0"), rows)


def _timeline(events: Sequence[Event]) -> Iterator[str]:
    if events:
        yield "### All attempts"
        yield "\n".join(f"- {in_words(event)}" for event in events)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
