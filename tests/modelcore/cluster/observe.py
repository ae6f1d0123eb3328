"""Watches a job while a fault happens to it: when it is noticed, all is gone, and steps are taken again."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from modelcore.cluster.records import Ended, Started
from modelcore.progress import PAUSES, read_progress
from tests.modelcore.cluster.conftest import Cluster, RunningJob
from tests.modelcore.cluster.faults import Fault
from tests.modelcore.cluster.hosts import Host
from tests.modelcore.launching.survivors import still_alive, wait_until

__all__ = ["Observed", "host_to_strike", "observe", "wait_until_running"]

_RESUMED = re.compile(r"resumed from the checkpoint of step (\d+)")
_WITHIN_S = 400.0


@dataclass(frozen=True)
class Observed:
    """What a fault did to a job; seconds.

    Attributes:
        fault: its name.
        kind: what the driver called it; "" if it noticed nothing.
        noticed: from the fault until the driver knew; None if it noticed nothing.
        gone: from then (or else from the fault) until no process of the attempt was left on any host.
        running: until steps were taken again.
        lost: steps done again.
    """

    fault: str
    kind: str
    noticed: float | None
    gone: float
    running: float
    lost: float


def newest_attempt(job: RunningJob) -> int:
    """Return the number of the attempt that was started last."""
    return max((event.attempt for event in job.events if isinstance(event, Started)), default=0)


def is_running(job: RunningJob, attempt: int) -> bool:
    """Return whether rank 0 of an attempt takes steps."""
    state = read_progress(job.logs / f"attempt_{attempt}" / "progress_0.json")
    return state is not None and state[0] > 0 and not state[3].startswith(PAUSES)


def wait_until_running(job: RunningJob) -> None:
    """Return when the newest attempt takes steps, or the job has ended."""
    wait_until(
        lambda: job.process.poll() is not None or is_running(job, newest_attempt(job)), within_s=_WITHIN_S
    )


def host_to_strike(cluster: Cluster) -> Host | None:
    """Return a host with ranks that has neither the driver nor Ray's head; None if no ranks run."""
    return next((host for host in cluster.hosts[1:] if host.pids("modelcore.training.rank")), None)


def observe(cluster: Cluster, job: RunningJob, fault: Fault, host: Host | None) -> Observed:
    """Let a fault happen to a running job; return what came of it, when it takes steps again or has ended."""
    assert host is not None, "no ranks are running"
    attempt, ranks = newest_attempt(job), cluster.ranks()
    struck, began = time.time(), time.monotonic()
    healing = fault.happen(cluster, host)
    if not fault.ends_attempt:
        healing.join()
        return Observed(fault.name, "", None, 0.0, 0.0, 0.0)
    wait_until(lambda: not still_alive(ranks), within_s=_WITHIN_S)
    gone = time.monotonic() - began
    wait_until(
        lambda: (
            job.process.poll() is not None
            or (newest_attempt(job) > attempt and is_running(job, newest_attempt(job)))
        ),
        within_s=_WITHIN_S,
    )
    running = time.monotonic() - began
    healing.join()
    kind, noticed = _notice(job, attempt, struck)
    return Observed(
        fault.name,
        kind,
        noticed,
        max(0.0, gone - (noticed or 0.0)),
        running - (noticed or 0.0),
        _lost(job.logs, attempt),
    )


def _notice(job: RunningJob, attempt: int, struck: float) -> tuple[str, float | None]:
    events = job.events
    started = next(event for event in events if isinstance(event, Started) and event.attempt == attempt)
    at = datetime.fromisoformat(started.at).timestamp()
    for event in events:
        if isinstance(event, Ended) and event.attempt == attempt and event.failure is not None:
            return event.failure.kind, at + event.seconds - struck
    return "", None


def _lost(logs: Path, attempt: int) -> float:
    """Return the steps that were done before and after a failure, both."""
    before = read_progress(logs / f"attempt_{attempt}" / "progress_0.json")
    attempts = sorted(logs.glob("attempt_*/worker_0.log"), key=lambda log: int(log.parent.name[8:]))
    after = _RESUMED.search(attempts[-1].read_text())
    return (before[0] if before else 0) - (int(after[1]) if after else 0)
