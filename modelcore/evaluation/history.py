"""The history of scores: one JSON line per scored run, appended, never rewritten.

Safe with several writers and with a writer that is killed: its cut line is skipped and counted. A run that is
there already is not added again. The full reports stay where they were written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError
from modelcore.evaluation.report import ScoreReport
from modelcore.store.disk import make_directory
from modelcore.store.journal import append_once, read_lines
from modelcore.store.manifest import as_plain

__all__ = ["HISTORY", "History", "Run", "append_run", "find_run", "read_history", "run_of"]

HISTORY = "history.jsonl"
"""The file's name in a store."""

_ID_LENGTH = 10
_SHORTEST_PREFIX = 4


@dataclass(frozen=True)
class Run:
    """One scored run.

    Args:
        id: stands for the checkpoint and the whole score report; the same score again has the same id.
        name: what the user calls it; need not be unique, the latest of a name is meant.
        time: when it was scored, ISO 8601, UTC.
        checkpoint: what was scored.
        benchmark: its name.
        benchmark_digest: of its file.
        pass_at_k: {"1": [value, low, high], …}.
        report: path of the score.json.
        conditions: template, isolation, decoding, contamination: whatever is to stand beside the score.
    """

    id: str
    name: str
    time: str
    checkpoint: str
    benchmark: str
    benchmark_digest: str
    pass_at_k: Mapping[str, tuple[float, float, float]]
    report: str
    conditions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """The runs of a history, oldest first, and how many of its lines could not be read."""

    runs: tuple[Run, ...]
    unreadable: int = 0

    def of(self, benchmark: str, digest: str = "") -> list[Run]:
        """Return the runs of one benchmark; of one file of that name, if its digest is given."""
        return [r for r in self.runs if r.benchmark == benchmark and digest in ("", r.benchmark_digest)]


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
    return Run(
        id=hashlib.sha256(f"{checkpoint}\0".encode() + path.read_bytes()).hexdigest()[:_ID_LENGTH],
        name=name,
        time=time,
        checkpoint=checkpoint,
        benchmark=report.benchmark["name"],
        benchmark_digest=report.benchmark["digest"],
        pass_at_k={str(score.k): (score.value, score.low, score.high) for score in report.pass_at_k},
        report=str(path.resolve()),
        conditions={**own, **(conditions or {})},
    )


def append_run(history: Path, run: Run) -> bool:
    """Add a run to the history file, which is created if there is none; return False if it was there."""
    make_directory(history.parent)
    return append_once(history, as_plain(asdict(run)), is_same=lambda row: _id_of(row) == run.id)


def read_history(history: Path) -> History:
    """Read the history; an empty one if there is no file."""
    rows, unreadable = read_lines(history)
    runs = tuple(run for run in map(_run, rows) if run is not None)
    return History(runs, unreadable + len(rows) - len(runs))


def find_run(history: Path, name: str) -> Run:
    """Return the run whose id is `name` or begins with it, or else the latest run of that name.

    Raises:
        MindrailError: there is none; names those nearest to the end of the history.
    """
    runs = read_history(history).runs
    for run in reversed(runs):
        if run.id == name:
            return run
    if len(name) >= _SHORTEST_PREFIX:
        begun = [run for run in runs if run.id.startswith(name)]
        if len(begun) == 1:
            return begun[0]
    for run in reversed(runs):
        if run.name == name:
            return run
    known = ", ".join(f"{run.id} ({run.name})" for run in reversed(runs[-5:])) or "it is empty"
    raise MindrailError(f"no run {name!r}", where=history, fix=f"the last ones are: {known}")


def _id_of(row: Any) -> str:
    run = _run(row)
    return run.id if run else ""


def _run(row: Any) -> Run | None:
    """Return the run of a record, or None if the record is not one."""
    try:
        scores = {str(k): (float(a), float(b), float(c)) for k, (a, b, c) in row["pass_at_k"].items()}
        return Run(**{**row, "pass_at_k": scores})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
