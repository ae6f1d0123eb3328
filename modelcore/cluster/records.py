"""What happens to a job on a cluster, as records: why an attempt ended, and the journal of all attempts.

The journal is `logs/attempts.jsonl` in the job's directory: one line when an attempt starts and one when it
ends. Whoever shows a run reads it there; the driver reads it for the number of the next attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from modelcore.store.journal import Journal, read_journal

__all__ = [
    "KINDS",
    "Ended",
    "Event",
    "Failure",
    "Kind",
    "Resumed",
    "Started",
    "as_record",
    "in_words",
    "open_journal",
    "read_attempts",
]

_JOURNAL = "attempts.jsonl"

Kind: TypeAlias = Literal[
    "bad input",
    "host lost",
    "host silent",
    "agent died",
    "out of memory",
    "signal",
    "hang",
    "exception",
    "not started",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Why an attempt ended; of several reasons the first in this order explains most.

`bad input`: a rank exited with 2, also because of a loss that is not a number; never retried.
"""


@dataclass(frozen=True)
class Failure:
    """Why an attempt ended: what failed first, and where.

    Attributes:
        kind: see `Kind`.
        what: one line.
        host: address of the host it was on.
        process: "rank 3", "the scheduler"; "" if the whole host or its agent is gone.
        exit: "exit code 1", "killed by SIGKILL …"; "" if it did not end on its own.
        tail: the last lines of its log.
    """

    kind: Kind
    what: str
    host: str
    process: str = ""
    exit: str = ""
    tail: list[str] = field(default_factory=list)

    @property
    def is_of_host(self) -> bool:
        """Whether a host failed the job, and not the job's program itself."""
        return self.kind in ("host lost", "host silent", "agent died")

    def __str__(self) -> str:
        return f"host {self.host}: {self.what}"


@dataclass(frozen=True)
class Started:
    """An attempt whose ranks are about to be started, all of them.

    Attributes:
        attempt: its number.
        hosts: addresses in rank order.
        at: the driver's clock, ISO 8601.
        waited: seconds until all hosts were there.
    """

    attempt: int
    hosts: list[str]
    at: str
    waited: float


@dataclass(frozen=True)
class Resumed:
    """An attempt after a failed one, whose ranks have read their checkpoint and are about to compute.

    Attributes:
        attempt: its number.
        resumed_from: steps of the checkpoint.
        lost: steps of the attempt before that are done again.
        after: seconds from the failure's notice.
    """

    attempt: int
    resumed_from: float
    lost: float
    after: float


@dataclass(frozen=True)
class Ended:
    """An attempt of which nothing runs any more, as far as its hosts can be reached.

    Attributes:
        attempt: its number.
        seconds: from the start of its ranks.
        done: steps done when it ended.
        failure: None if it finished the job.
        gone_after: seconds from the failure's notice until nothing ran on any host that answers.
        action: what is done about the failure.
    """

    attempt: int
    seconds: float
    done: float
    failure: Failure | None
    gone_after: float
    action: str = ""


Event: TypeAlias = Started | Resumed | Ended


def open_journal(logs: Path) -> Journal:
    """Open the journal to append to it; what earlier drivers wrote stays."""
    return Journal(logs / _JOURNAL, read_journal(logs / _JOURNAL))


def read_attempts(logs: Path) -> list[Event]:
    """Return what the journal holds so far."""
    return [_record(raw) for raw in read_journal(logs / _JOURNAL)]


def as_record(event: Event) -> Mapping[str, Any]:
    """Return an event as the journal holds it."""
    return asdict(event)


def in_words(event: Event) -> str:
    """Return an event as one line for the person who watches."""
    if isinstance(event, Started):
        waited = f", {event.waited:.0f} s after it was asked for" if event.waited >= 1 else ""
        return f"attempt {event.attempt} starts on {', '.join(event.hosts)}{waited}"
    if isinstance(event, Resumed):
        return (
            f"attempt {event.attempt} resumes from step {event.resumed_from:g}, {event.lost:g} steps lost, "
            f"{event.after:.0f} s after the failure was noticed"
        )
    if event.failure is None:
        return f"attempt {event.attempt} finished the job after {event.seconds:.0f} s"
    return (
        f"attempt {event.attempt} ended after {event.seconds:.0f} s, {event.done:g} steps done "
        f"({event.failure.kind}): {event.failure}; everything of it gone {event.gone_after:.1f} s later; "
        f"{event.action}"
    )


def _record(raw: Mapping[str, Any]) -> Event:
    if "hosts" in raw:
        return Started(**raw)
    if "lost" in raw:
        return Resumed(**raw)
    failure = raw["failure"]
    return Ended(**{**raw, "failure": None if failure is None else Failure(**failure)})
