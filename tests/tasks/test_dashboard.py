"""What a run shows: progress that ends with the step, a loss curve that renews itself, a link to a report."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from modelcore.report.score_section import Figure
from modelcore.store.store import Store
from tasks import dashboard
from tasks.dashboard import (
    DashboardProgress,
    LossCurve,
    RunProgress,
    figures_as_markdown,
    headline_as_markdown,
    report_link,
    show_lineage,
)
from tasks.step import Step


class Recorder:
    """Stands for the thread that sends: keeps what was shown last."""

    def __init__(self) -> None:
        self.flow_run = uuid4()
        self.shown: list[tuple[Any, str]] = []

    def change(self, artifact: Any) -> None:
        self.shown.append(artifact._content)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr(dashboard, "current_reporter", lambda: found)
    return found


def seconds(monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
    given = iter(values)
    monkeypatch.setattr(dashboard, "time", SimpleNamespace(monotonic=lambda: next(given)))


def test_progress_is_rounded_and_ends_at_done(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds(monkeypatch, 0, 3, 8, 9, 21)
    with DashboardProgress("score") as progress:
        progress(1, 9, "problems")
        progress(5, 9, "problems")
        progress(6, 9, "problems")
    assert [share for share, _ in recorder.shown] == [55.6, 100.0]
    assert recorder.shown[-1][1] == "score: done in 21 s"


def test_a_run_says_which_step_of_how_many_it_is_at(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(dashboard, "log_run", lines.append)
    progress = RunProgress(["download", "convert", "shard"])
    for _ in range(3):
        progress.advance()
    assert recorder.shown == [
        (0.0, "step 1 of 3: download"),
        (33.3, "step 2 of 3: convert"),
        (66.7, "step 3 of 3: shard"),
        (100.0, "all 3 steps done"),
    ]
    assert lines == [words for _, words in recorder.shown[:3]]


def test_lineage_leads_from_the_result_to_the_first_files(recorder: Recorder, tmp_path: Path) -> None:
    store = Store(tmp_path)

    def build(name: str, inputs: dict[str, str]) -> Step:
        built = store.build(
            name,
            lambda directory: (directory / "file").write_text(name),
            version=1,
            inputs=inputs,
            parameters={"source": "hf://owner/name"} if name == "download" else {},
        )
        artifact = built.artifact
        return Step(name, artifact.path, artifact.digest, False, 0.0, artifact.manifest.size, 0.0)

    download = build("download", {})
    score = build("score", {"checkpoint": build("convert", {"source": download.digest}).digest})
    show_lineage(store, [download, score])
    ((text, _),) = recorder.shown
    rows = json.loads(text)
    assert [row["artifact"].partition("/")[0] for row in rows] == ["score", "convert", "download"]
    assert rows[1]["built from"] == f"source {download.digest[:12]}"
    assert rows[2]["source"] == "hf://owner/name"


def test_progress_of_an_attempt_that_failed_does_not_promise_an_end(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds(monkeypatch, 0, 8, 21)
    with pytest.raises(RuntimeError), DashboardProgress("launch") as progress:
        progress(30, 60, "steps")
        raise RuntimeError
    assert recorder.shown[-1] == (50.0, "launch: stopped after 21 s")


def test_a_short_step_shows_no_progress(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds(monkeypatch, 0, 1)
    with DashboardProgress("shard") as progress:
        progress(9, 9, "tensors")
    assert recorder.shown == []


def test_the_loss_curve_leaves_out_a_half_written_line(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = [{"step": step, "loss": 5.0 - step, "lr": 0.1} for step in (1, 2, 3)]
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("".join(json.dumps(row) + "\n" for row in rows[:2]) + json.dumps(rows[2])[:9])
    seconds(monkeypatch, 0, 20, 31)
    curve = LossCurve(metrics)
    curve(1, 10, "steps")
    curve(2, 10, "steps")
    ((text, description),) = recorder.shown
    assert "data:image/svg+xml;base64," in text and description == "So far: training loss 3.0000, steps 2"


def test_a_report_is_a_link_where_it_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path("/store/runs/one/report.html")
    monkeypatch.delenv("MINDRAIL_REPORTS_URL", raising=False)
    assert report_link(page) == "Report: `/store/runs/one/report.html`"
    monkeypatch.setenv("MINDRAIL_REPORTS_URL", "http://localhost:4201/runs")
    assert report_link(page) == "[Report](http://localhost:4201/runs/one/report.html)"


def test_a_plot_is_readable_on_a_dark_page() -> None:
    text = figures_as_markdown([Figure("Loss", '<svg width="1"></svg>', "falls")])
    (encoded,) = re.findall(r"base64,([^)]+)\)", text)
    assert base64.b64decode(encoded) == b'<svg style="background: #fff" width="1"></svg>'


def test_the_headline_is_a_table() -> None:
    assert headline_as_markdown([("pass@1", "0.9"), ("steps", "3")]).splitlines() == [
        "| pass@1 | steps |",
        "| --- | --- |",
        "| 0.9 | 3 |",
    ]
