"""Every run has a directory of its own, however quickly it follows another."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from modelcore.store.store import Store
from tasks.run_directory import write_run


def test_two_runs_of_the_same_second_have_a_report_each(tmp_path):
    now = datetime.now(timezone.utc)
    pages = [write_run(Store(tmp_path), "a run", now, page, {"page": page}) for page in ("one", "two")]
    assert [path.read_text() for path in pages] == ["one", "two"]
    assert [json.loads((path.parent / "run.json").read_text())["page"] for path in pages] == ["one", "two"]


def test_a_runs_directory_sorts_by_time_and_says_its_name(tmp_path):
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    directory = write_run(Store(tmp_path), "a run/of ours", now, "", {}).parent
    assert directory.name.startswith("20260102T030405-")
    assert directory.name.endswith("-a-run-of-ours")
