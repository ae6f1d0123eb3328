"""The history of scores: one JSON line a scored run, appended, never rewritten.

Safe with several writers (each line is one write under a lock) and with a writer that dies (a torn line at
the end is completed by a newline and skipped). The full reports stay where they were written.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError
from modelcore.evaluation.report import ScoreReport

__all__ = ["Run", "append_run", "find_run", "list_runs", "run_of"]


@dataclass(frozen=True)
class Run:
    """One scored run.

    Args:
        name: what the user calls it; need not be unique, the latest of a name is meant.
        time: when it was scored, ISO 8601, UTC.
        checkpoint: what was scored.
        benchmark: its name.
        pass_at_k: {"1": [value, low, high], …}.
        report: path of the score.json.
        conditions: template, isolation, contamination figure: whatever is to stand beside the score.
    """

    name: str
    time: str
    checkpoint: str
    benchmark: str
    pass_at_k: Mapping[str, tuple[float, float, float]]
    report: str
    conditions: Mapping[str, Any] = field(default_factory=dict)


def run_of(
    report: ScoreReport,
    path: Path,
    *,
    name: str,
    time: str,
    checkpoint: str,
    conditions: Mapping[str, Any] | None = None,
) -> Run:
    """Return the history's row of a report that was written to `path`."""
    template = report.template and f"{report.template['name']} v{report.template['version']}"
    own = {"template": template, "isolation": report.isolation, "missing": len(report.missing)}
    scores = {str(score.k): (score.value, score.low, score.high) for score in report.pass_at_k}
    where = str(path.resolve())
    return Run(name, time, checkpoint, report.benchmark["name"], scores, where, {**own, **(conditions or {})})


def append_run(history: Path, run: Run) -> None:
    """Add a run to the history file, which is created if there is none."""
    history.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(run), sort_keys=True).encode() + b"\n"
    descriptor = os.open(history, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, b"\n" + line if torn else line)
    finally:
        os.close(descriptor)


def list_runs(history: Path, *, benchmark: str | None = None) -> list[Run]:
    """Return the runs of the history (of one benchmark, if named), oldest first; none if there is no file."""
    if not history.exists():
        return []
    runs = _runs(history)
    return [run for run in runs if benchmark is None or run.benchmark == benchmark]


def find_run(history: Path, name: str) -> Run:
    """Return the latest run of that name.

    Raises:
        MindrailError: there is none; names those nearest to the end of the history.
    """
    runs = list_runs(history)
    for run in reversed(runs):
        if run.name == name:
            return run
    known = ", ".join(dict.fromkeys(run.name for run in reversed(runs[-5:]))) or "it is empty"
    raise MindrailError(f"no run named {name!r}", where=history, fix=f"the last ones are: {known}")


def _runs(history: Path) -> Iterator[Run]:
    for line in history.read_bytes().split(b"\n"):
        row = _row(line)
        if row is not None:
            scores = {k: (values[0], values[1], values[2]) for k, values in row["pass_at_k"].items()}
            yield Run(**{**row, "pass_at_k": scores})


def _row(line: bytes) -> dict[str, Any] | None:
    """Return the row of a line, or None for an empty one or one that a dying writer left unfinished."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and row.keys() == Run.__dataclass_fields__.keys() else None
