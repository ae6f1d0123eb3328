"""What a run shows on Prefect's dashboard: progress on a task's page; tables, texts and plots on the run's.

A command without a server starts one of its own that has no dashboard; nothing is sent to that one. Nothing
here waits for the server or fails because of it.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from modelcore.report.score_section import Figure
from modelcore.report.training_section import training_section
from modelcore.store.lineage import ancestors
from modelcore.store.manifest import Manifest
from modelcore.store.store import Store
from modelcore.units import format_bytes
from tasks.log import log_run
from tasks.progress import Speed, in_words
from tasks.reporter import ShownArtifact, current_reporter
from tasks.run_directory import REPORTS_URL
from tasks.step import Step

__all__ = [
    "DashboardProgress",
    "LossCurve",
    "RunProgress",
    "figures_as_markdown",
    "headline_as_markdown",
    "report_link",
    "show_lineage",
    "show_markdown",
    "show_steps",
    "show_table",
]

_CURVE_EVERY = 30.0  # seconds; drawing takes a tenth of one
_EVERY = 5.0  # seconds between two updates; one costs the server 20 ms


class DashboardProgress:
    """A progress artifact on the task run's page, from the first few seconds of work to its end."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started = self._updated = time.monotonic()
        self._speed = Speed()
        self._share = 0.0
        self._shown: ShownArtifact | None = None

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        """Update the artifact, every few seconds at most."""
        now = time.monotonic()
        speed = self._speed.update(done, now)
        if not total or now - self._updated < _EVERY:
            return
        self._updated = now
        self._show(min(100.0, 100.0 * done / total), in_words(done, total, unit, speed, note))

    def __enter__(self) -> DashboardProgress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Replace the last state, if one was shown, by how the work ended."""
        if self._shown is None:
            return
        seconds = time.monotonic() - self._started
        if kind is None:
            self._show(100.0, f"done in {seconds:.0f} s")
        else:
            self._show(self._share, f"stopped after {seconds:.0f} s")

    def _show(self, share: float, words: str) -> None:
        reporter = current_reporter()
        if self._shown is None and reporter is not None:
            self._shown = ShownArtifact(reporter, "progress")
        if self._shown is not None:
            self._share = share
            self._shown.show(round(share, 1), f"{self._title}: {words}")


class RunProgress:
    """Which step of how many a run is at: a line in its log, and a progress artifact on its page.

    Args:
        names: the steps in order; nothing is shown without.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._done = 0
        reporter = current_reporter()
        self._shown = None if reporter is None or not names else ShownArtifact(reporter, "progress")
        self._show()

    def advance(self) -> None:
        """Record that a step has ended."""
        self._done += 1
        self._show()

    def _show(self) -> None:
        count = len(self._names)
        if self._done > count or not count:
            return
        words = f"all {count} steps done"
        if self._done < count:
            words = f"step {self._done + 1} of {count}: {self._names[self._done]}"
            log_run(words)
        if self._shown is not None:
            self._shown.show(round(100.0 * self._done / count, 1), words)


class LossCurve:
    """The losses so far as a plot on the run's page, renewed while a training runs.

    Args:
        metrics: the file to which the job appends a line per step.
    """

    def __init__(self, metrics: Path) -> None:
        self._metrics = metrics
        self._updated = time.monotonic()
        self._shown: ShownArtifact | None = None

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        """Draw it anew, twice a minute at most."""
        reporter, now = current_reporter(), time.monotonic()
        if reporter is None or now - self._updated < _CURVE_EVERY:
            return
        self._updated = now
        lines = _complete_lines(self._metrics)
        if len(lines) < 2:
            return
        if self._shown is None:
            self._shown = ShownArtifact(reporter, "markdown", "loss")
        section = training_section(lines, [], [])
        latest = ", ".join(f"{name} {value}" for name, value in section.headline)
        self._shown.show(figures_as_markdown(section.figures[:1]), f"So far: {latest}")


def _complete_lines(journal: Path) -> list[dict[str, Any]]:
    """Return the lines of a journal that another process appends to, but for one that is half written."""
    try:
        lines = journal.read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def show_steps(steps: Sequence[Step]) -> None:
    """Put the table of a run's steps on its page."""
    rows = [
        {"step": step.name, "seconds": round(step.seconds, 1), "cached": step.cached, "digest": step.digest}
        for step in steps
    ]
    show_table("steps", rows, "The steps, in order")


def show_lineage(store: Store, steps: Sequence[Step]) -> None:
    """Put on the run's page from what its last step was built, back to the first files.

    Args:
        store: holds the artifacts.
        steps: of the run; the last one is a score, or what a training exports.
    """
    if current_reporter() is None:
        return
    manifest = Manifest.read(steps[-1].path)
    if manifest is not None:
        every = [manifest, *(artifact.manifest for artifact in ancestors(store, manifest))]
        show_table("lineage", [_lineage_row(one) for one in every], "From the result back to the first files")


def _lineage_row(manifest: Manifest) -> dict[str, Any]:
    return {
        "artifact": f"{manifest.step}/{manifest.key}",
        "digest": manifest.digest[:12],
        "built from": ", ".join(f"{name} {digest[:12]}" for name, digest in manifest.inputs.items()),
        "source": str(manifest.recorded.get("source", manifest.parameters.get("source", ""))),
        "size": format_bytes(manifest.size),
        "built": manifest.created[:19],
    }


def show_table(key: str, rows: Sequence[dict[str, Any]], description: str) -> None:
    """Put a table on the flow run's page, where there is one."""
    _show("table", key, json.dumps(list(rows), default=str), description)


def show_markdown(key: str, text: str, description: str) -> None:
    """Put a text on the flow run's page, where there is one."""
    _show("markdown", key, text, description)


def report_link(report: Path) -> str:
    """Return a link to a run's report as Markdown, or its path where nothing serves it."""
    address = os.environ.get(REPORTS_URL)
    if not address:
        return f"Report: `{report}`"
    return f"[Report]({address.rstrip('/')}/{report.parent.name}/{report.name})"


def figures_as_markdown(figures: Iterable[Figure]) -> str:
    """Return plots as Markdown that needs no other file."""
    return "\n\n".join(
        f"### {figure.title}\n\n![{figure.title}]({_data_address(figure.svg)})\n\n{figure.caption}"
        for figure in figures
    )


def headline_as_markdown(headline: Sequence[tuple[str, str]]) -> str:
    """Return the figures at the top of a report as a table in Markdown."""
    names, values = ("| " + " | ".join(column) + " |" for column in zip(*headline, strict=True))
    return f"{names}\n{'| --- ' * len(headline)}|\n{values}"


def _data_address(svg: str) -> str:
    """Return a plot as an address; on white, because dashboards are dark and its labels, too."""
    svg = svg.replace("<svg ", '<svg style="background: #fff" ', 1)
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _show(kind: str, key: str, data: str, description: str) -> None:
    reporter = current_reporter()
    if reporter is not None:
        ShownArtifact(reporter, kind, key).show(data, description)
