"""From inputs and outcomes to the record of a scoring: what verdicts depend on, the table of problems."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import asdict

from modelcore.evaluation.benchmarks import Benchmark
from modelcore.evaluation.passk import pass_at_k
from modelcore.evaluation.report import ProblemScore, ScoreReport
from modelcore.evaluation.samples import Reading, Summary
from modelcore.sandbox.limits import Limits
from modelcore.sandbox.verdicts import VERDICTS, Outcome

__all__ = ["conditions_of", "report_of"]


def conditions_of(
    benchmark: Benchmark, summary: Summary, reading: Reading, limits: Limits, level: str
) -> dict[str, object]:
    """Return what a verdict depends on, in the words of `ScoreReport`."""
    chosen = reading.template
    versions = {name: _version(name) for name in limits.packages}
    return {
        "benchmark": {
            "name": benchmark.name,
            "digest": benchmark.digest,
            "problems": len(benchmark.problems),
        },
        "samples": {"rows": summary.rows, "digest": summary.digest},
        "template": chosen
        and {"name": chosen.name, "version": chosen.version, "extractor": chosen.extractor},
        "standalone": reading.standalone,
        "limits": {**asdict(limits), "packages": list(limits.packages)},
        "isolation": level,
        "python": {"python": platform.python_version(), **versions},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def report_of(
    conditions: dict[str, object],
    missing: tuple[str, ...],
    by_task: dict[str, list[Outcome]],
    benchmark: Benchmark,
    k: Sequence[int],
) -> ScoreReport:
    """Return the report.

    Args:
        conditions: from `conditions_of`.
        missing: tasks without samples.
        by_task: outcomes of each other task, in the order of its samples.
        benchmark: gives the order of the problems.
        k: the k of pass@k to compute.
    """
    rows = [
        ProblemScore(
            problem.task_id,
            len(outcomes),
            sum(outcome.passed for outcome in outcomes),
            tuple(outcome.verdict for outcome in outcomes),
            tuple(outcome.reason for outcome in outcomes),
        )
        for problem in benchmark.problems
        if (outcomes := by_task.get(problem.task_id))
    ]
    reached = [verdict for row in rows for verdict in row.verdicts]
    counts = [(row.samples, row.correct) for row in rows]
    return ScoreReport(
        **conditions,  # type: ignore[arg-type]
        missing=missing,
        pass_at_k=tuple(pass_at_k(counts, number) for number in sorted(set(k))),
        verdicts={verdict: reached.count(verdict) for verdict in VERDICTS},
        problems=tuple(rows),
    )
