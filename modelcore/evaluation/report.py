"""score.json: what was scored, under which conditions, with which outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelcore.boundary.files import read_file
from modelcore.boundary.json_text import parse_json
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark
from modelcore.evaluation.conditions import Conditions
from modelcore.evaluation.passk import PassAtK, pass_at_k
from modelcore.sandbox.isolation import NOT_HIDDEN
from modelcore.sandbox.verdicts import VERDICTS, Outcome

__all__ = ["FORM", "ProblemScore", "ScoreReport", "read_report", "report_of", "write_report"]

_LARGEST = 64 << 20  # bytes; a sample takes 100

FORM = 1
"""The version of score.json's format."""


@dataclass(frozen=True)
class ProblemScore:
    """One row of the table of problems; `verdicts` and `reasons` are in the order of the samples."""

    task_id: str
    samples: int
    correct: int
    verdicts: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class ScoreReport:
    """A score and everything it depends on.

    Args:
        conditions: what the verdicts depend on.
        missing: tasks without samples, which do not count. Empty unless partial files were allowed.
        pass_at_k: the scores, by ascending k.
        verdicts: the number of samples with each verdict.
        problems: the other tasks, in the benchmark's order.
    """

    conditions: Conditions
    missing: tuple[str, ...]
    pass_at_k: tuple[PassAtK, ...]
    verdicts: Mapping[str, int]
    problems: tuple[ProblemScore, ...]

    def passed(self, k: int = 1) -> PassAtK | None:
        """Return pass@k, or None if it was not computed."""
        return next((score for score in self.pass_at_k if score.k == k), None)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data; the conditions' keys stand beside the report's own.

        `not_hidden` follows from the isolation: what a completion could find out at that level.
        """
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        not_hidden = list(NOT_HIDDEN.get(self.conditions.isolation, ()))
        return {**data.pop("conditions"), "not_hidden": not_hidden, **data}


def report_of(
    conditions: Conditions,
    missing: tuple[str, ...],
    outcomes: Mapping[str, Sequence[Outcome]],
    benchmark: Benchmark,
    k: Sequence[int],
) -> ScoreReport:
    """Return the report.

    Args:
        conditions: what the outcomes depend on.
        missing: tasks without samples.
        outcomes: of each other task, in the order of its samples.
        benchmark: gives the order of the problems.
        k: the k of each pass@k to compute.
    """
    rows = tuple(
        _problem_score(problem.task_id, outcomes[problem.task_id])
        for problem in benchmark.problems
        if problem.task_id in outcomes
    )
    verdicts = [verdict for row in rows for verdict in row.verdicts]
    counts = [(row.samples, row.correct) for row in rows]
    return ScoreReport(
        conditions=conditions,
        missing=missing,
        pass_at_k=tuple(pass_at_k(counts, number) for number in sorted(set(k))),
        verdicts={verdict: verdicts.count(verdict) for verdict in VERDICTS},
        problems=rows,
    )


def _problem_score(task_id: str, outcomes: Sequence[Outcome]) -> ProblemScore:
    return ProblemScore(
        task_id=task_id,
        samples=len(outcomes),
        correct=sum(outcome.passed for outcome in outcomes),
        verdicts=tuple(outcome.verdict for outcome in outcomes),
        reasons=tuple(outcome.reason for outcome in outcomes),
    )


def write_report(report: ScoreReport, path: Path) -> None:
    """Write score.json: the same report gives the same bytes."""
    text = json.dumps({"form": FORM, **report.to_json()}, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="ascii")


def read_report(path: Path) -> ScoreReport:
    """Read score.json.

    Raises:
        MindrailError: there is no such file, or it has another format.
    """
    if not path.exists():
        raise MindrailError("no such file", where=path, fix="score the samples first")
    try:
        content = parse_json(read_file(path, _LARGEST))
        if content["form"] != FORM:
            raise MindrailError(f"not of form {FORM}", where=path, fix="score the samples again")
        return ScoreReport(
            conditions=Conditions.from_json(content),
            missing=tuple(content["missing"]),
            pass_at_k=tuple(_pass_at_k(row) for row in content["pass_at_k"]),
            verdicts={str(verdict): _natural(count) for verdict, count in content["verdicts"].items()},
            problems=tuple(_problem(row) for row in content["problems"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MindrailError(f"not a score.json ({error})", where=path) from error


def _problem(row: dict[str, Any]) -> ProblemScore:
    texts = {name: tuple(map(str, row[name])) for name in ("verdicts", "reasons")}
    counts = {name: _natural(row[name]) for name in ("samples", "correct")}
    return ProblemScore(**{**row, **texts, **counts, "task_id": str(row["task_id"])})


def _pass_at_k(row: dict[str, Any]) -> PassAtK:
    return PassAtK(_natural(row["k"]), *(float(row[name]) for name in ("value", "low", "high")))


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value
