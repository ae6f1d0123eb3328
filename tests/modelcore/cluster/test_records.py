from __future__ import annotations

from pathlib import Path

from modelcore.cluster.records import (
    Ended,
    Event,
    Failure,
    Resumed,
    Started,
    as_record,
    in_words,
    open_journal,
    read_attempts,
)

KILLED = Failure(
    "signal", "rank 1 was killed by SIGKILL", "10.0.0.2", "rank 1", "killed by SIGKILL", ["last"]
)
EVENTS: list[Event] = [
    Started(1, ["10.0.0.1", "10.0.0.2"], "2026-11-21T20:00:00.000+00:00", 2.5),
    Ended(1, 12.25, 7, KILLED, 0.3, "starts again from the last checkpoint"),
    Resumed(2, 5, 2, 21.0),
    Ended(2, 9.5, 20, None, 0.0),
]


def test_the_journal_gives_back_what_every_driver_wrote(tmp_path: Path) -> None:
    for events in (EVENTS[:2], EVENTS[2:]):
        with open_journal(tmp_path) as journal:
            for event in events:
                journal.append(as_record(event))
    assert read_attempts(tmp_path) == EVENTS


def test_a_failure_is_named_with_its_host_its_kind_and_what_is_done() -> None:
    assert [in_words(event) for event in EVENTS] == [
        "attempt 1 starts on 10.0.0.1, 10.0.0.2, 2 s after it was asked for",
        "attempt 1 ended after 12 s, 7 steps done (signal): host 10.0.0.2: rank 1 was killed by SIGKILL; "
        "everything of it gone 0.3 s later; starts again from the last checkpoint",
        "attempt 2 resumes from step 5, 2 steps lost, 21 s after the failure was noticed",
        "attempt 2 finished the job after 10 s",
    ]
