"""The history of scores: one JSON line per scored run, appended, never rewritten.

Safe with several writers and with a writer that is killed: its cut line is skipped and counted. A run that is
in the history is not added again. The full reports stay where they were written.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError
from modelcore.evaluation.report import ScoreReport
from modelcore.store.disk import make_directory
from modelcore.store.journal import append_once, read_lines
from modelcore.store.location import remote_of
from modelcore.store.manifest import as_plain
from modelcore.store.shared_records import fetch_lines, share_line

__all__ = ["HISTORY", "History", "Run", "append_run", "check_history", "find_run", "read_history", "run_of"]

HISTORY = "history.jsonl"
"""The file's name in a store."""

_ID_LENGTH = 10
_SHORTEST_PREFIX = 4
_SHOWN_RUNS = 5
_LARGEST = 64 << 20  # bytes; a run has about 1,000
_LONG = 16 << 20  # bytes, after which the older half is put aside


@dataclass(frozen=True)
class Run:
    """One scored run.

    Args:
        id: hash of the checkpoint and the score report; the same score again has the same id.
        name: chosen by the user; need not be unique.
        time: when it was scored, ISO 8601, UTC.
        checkpoint: what was scored.
        benchmark: the benchmark's name.
        benchmark_digest: SHA-256 of the benchmark's file.
        pass_at_k: {"1": [value, low, high], …}.
        report: path of the score.json.
        conditions: what is shown beside the score: template, isolation, decoding, contamination, ….
        model: the model that was scored, or that training began with, in words; "" if unknown, as in lines of
            earlier versions.
        data: what it was trained on, in words; "" if nothing, or unknown.
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
    model: str = ""
    data: str = ""


@dataclass(frozen=True)
class History:
    """The runs of a history, oldest first, and how many of its lines could not be read."""

    runs: tuple[Run, ...]
    unreadable: int = 0

    def of(self, benchmark: str, digest: str = "") -> list[Run]:
        """Return the runs of the benchmark with this name and, if given, this digest of its file."""
        return [r for r in self.runs if r.benchmark == benchmark and digest in ("", r.benchmark_digest)]


def run_of(
    report: ScoreReport,
    path: Path,
    *,
    name: str,
    time: str,
    checkpoint: str,
    conditions: Mapping[str, Any] | None = None,
    model: str = "",
    data: str = "",
) -> Run:
    """Return the history's record of a report.

    Args:
        report: the report.
        path: its score.json.
        name, time, checkpoint, model, data: see `Run`.
        conditions: to show beside template, isolation and number of missing tasks.
    """
    scored = report.conditions
    shown = {
        "template": scored.template and f"{scored.template.name} v{scored.template.version}",
        "isolation": scored.isolation,
        "missing": len(report.missing),
        **(conditions or {}),
    }
    return Run(
        id=hashlib.sha256(f"{checkpoint}\0".encode() + path.read_bytes()).hexdigest()[:_ID_LENGTH],
        name=name,
        time=time,
        checkpoint=checkpoint,
        benchmark=scored.benchmark.name,
        benchmark_digest=scored.benchmark.digest,
        pass_at_k={str(score.k): (score.value, score.low, score.high) for score in report.pass_at_k},
        report=str(path.resolve()),
        conditions=shown,
        model=model,
        data=data,
    )


def append_run(history: Path, run: Run) -> bool:
    """Add a run to the history file, which is created if necessary; return whether it was new.

    A history of more than 16,000 runs continues with its newer half; the whole of it until then is in
    history.1.jsonl. With a store in a bucket the line is copied there, and `read_history` knows those of all
    hosts.
    """
    check_history(history)
    fetch_lines(history)
    record = as_plain(asdict(run))
    is_new = append_once(
        history,
        record,
        is_same=lambda row: _id_of(row) == run.id,
        rotate_at=_LONG if remote_of(history.parent) is None else None,  # a bucket would bring them back
    )
    if is_new:
        share_line(history, record)
    return is_new


def check_history(history: Path) -> None:
    """Check, before work, that runs can be added to the history file; make its directory.

    Raises:
        MindrailError: its directory cannot be made or written in, or it is no file of a sensible size.
    """
    make_directory(history.parent)
    _check_file(history)


def _check_file(history: Path) -> None:
    """Refuse what is there and is no history: it is read whole."""
    if not history.exists():
        return
    if not history.is_file():
        raise MindrailError("not a file, so no scores can be in it", where=history, fix="move it away")
    if (size := history.stat().st_size) > _LARGEST:
        raise MindrailError(f"{size} bytes; at most {_LARGEST} are read", where=history, fix="move it away")


def read_history(history: Path) -> History:
    """Read the history; it is empty if there is no file.

    Raises:
        MindrailError: it is a directory, or too large.
    """
    fetch_lines(history)
    _check_file(history)
    rows, unreadable = read_lines(history)
    runs = tuple(run for run in map(_run, rows) if run is not None)
    return History(runs, unreadable + len(rows) - len(runs))


def find_run(history: Path, name: str) -> Run:
    """Return the run whose id is `name` or alone begins with it, or else the latest run of that name.

    Raises:
        MindrailError: there is none; the message lists the latest runs.
    """
    runs = read_history(history).runs
    for run in runs:
        if run.id == name:
            return run
    if len(name) >= _SHORTEST_PREFIX:
        matches = [run for run in runs if run.id.startswith(name)]
        if len(matches) == 1:
            return matches[0]
    for run in reversed(runs):
        if run.name == name:
            return run
    if not runs:
        raise MindrailError(f"no run {name!r}: the history is empty", where=history)
    latest = ", ".join(f"{run.id} ({run.name})" for run in reversed(runs[-_SHOWN_RUNS:]))
    raise MindrailError(f"no run {name!r}", where=history, fix=f"the latest are {latest}")


def _id_of(row: Any) -> str:
    run = _run(row)
    return run.id if run else ""


def _run(row: Any) -> Run | None:
    """Return the run in a record, or None if it is not one."""
    try:
        scores = {str(k): (float(a), float(b), float(c)) for k, (a, b, c) in row["pass_at_k"].items()}
        run = Run(**{**row, "pass_at_k": scores})
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
    texts = (run.id, run.name, run.time, run.checkpoint, run.benchmark, run.benchmark_digest, run.report)
    are_texts = all(isinstance(text, str) for text in (*texts, run.model, run.data))
    are_finite = all(math.isfinite(number) for score in scores.values() for number in score)
    return run if are_texts and are_finite and isinstance(run.conditions, dict) else None
