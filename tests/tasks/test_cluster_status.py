"""A training on several hosts on the dashboard: the failure first, then hosts, ranks and attempts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from modelcore.cluster.records import Ended, Failure, Resumed, Started, as_record, open_journal
from tasks import cluster_status
from tasks.cluster_status import ClusterStatus, cluster_as_markdown

KILLED = Failure(
    "signal",
    "rank 3 was killed by SIGKILL",
    "10.0.0.2",
    "rank 3",
    "killed by SIGKILL",
    ["first", "last | line"],
)
STARTED = Started(1, ["10.0.0.1", "10.0.0.2"], "2026-11-21T20:00:00.000+00:00", 0.5)
ENDED = Ended(1, 12.25, 7, KILLED, 0.3, "starts again from the last checkpoint")
AGAIN = Started(2, ["10.0.0.1", "10.0.0.3"], "2026-11-21T20:01:00.000+00:00", 0.5)
RESUMED = Resumed(2, 5, 2, 21.0)


def test_hosts_have_their_ranks_and_the_first_one_the_progress() -> None:
    text = cluster_as_markdown([STARTED], 2, "12/40 steps")
    assert text.startswith("### Attempt 1\n")
    assert "| 10.0.0.1 | 0-1 | 12/40 steps |" in text and "| 10.0.0.2 | 2-3 |  |" in text


def test_the_rank_that_failed_first_comes_first_with_its_last_lines_and_what_was_done() -> None:
    text = cluster_as_markdown([STARTED, ENDED, AGAIN, RESUMED], 1, "6/40 steps")
    failure, attempt, timeline = (text.index(f"### {title}") for title in ("Attempt 1", "Attempt 2", "All"))
    assert failure == 0 < attempt < timeline
    row = "| 10.0.0.2 | rank 3 | killed by SIGKILL | starts again from the last checkpoint | 2 steps lost |"
    assert "### Attempt 1 failed: signal" in text and row in text
    assert "\n    first\n    last | line\n" in text
    assert "| 10.0.0.3 | 1 |  |" in text and text.count("\n- attempt") == 4


def test_a_lost_host_without_a_successor_shows_the_steps_that_were_done() -> None:
    lost = Ended(1, 12.25, 7, Failure("host lost", "Ray lost the host", "10.0.0.2"), 0.3, "given up")
    text = cluster_as_markdown([STARTED, lost], 1, "")
    assert "| 10.0.0.2 | the host | - | given up | 7 steps were done |\n\nRay lost the host\n\n" in text


def test_a_change_is_shown_at_once_and_progress_every_few_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[Any, str]] = []
    reporter = SimpleNamespace(flow_run=uuid4(), change=lambda artifact: shown.append(artifact._content))
    now = iter([0.0, 1.0, 9.0, 9.0, 10.0])
    monkeypatch.setattr(cluster_status, "current_reporter", lambda: reporter)
    monkeypatch.setattr(cluster_status, "time", SimpleNamespace(monotonic=lambda: next(now)))
    with open_journal(tmp_path) as journal:
        journal.append(as_record(STARTED))  # by an earlier run
        status = ClusterStatus(tmp_path, 1)
        journal.append(as_record(AGAIN))
        status(0, None, "steps", "starting ranks")
        status(1, 40, "steps")
        status(2, 40, "steps")
        journal.append(as_record(ENDED))
        status.finish()
    assert [description[:17] for _, description in shown] == [
        "attempt 2 starts ",
        "attempt 2 starts ",
        "attempt 1 ended a",
    ]
    assert "2/40 steps" in shown[1][0] and "10.0.0.2" not in shown[0][0]
