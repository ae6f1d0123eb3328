"""A run's report: what each step made, gathered from the artifacts, and the page that shows it.

Reports lie in `<store>/runs/<time>-<name>/` with a `run.json` for programs. They are not artifacts: a
report tells of a run, and a run from the store alone is a run too.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import yaml

from modelcore.config.schema import Pipeline
from modelcore.data.output import report_path
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.report import ScoreReport, read_report
from modelcore.evaluation.templates import template
from modelcore.report.plots import bar_plot, line_plot
from modelcore.report.run_page import Answer, Figure, RunPage, StepRow, render_run
from modelcore.report.words import bytes_in_words
from modelcore.store.store import Store
from tasks.dashboard import show_markdown, show_table
from tasks.places import resolve
from tasks.preprocess import ROWS, TRAIN
from tasks.step import Step

__all__ = ["Scores", "report", "scores_of"]

_EXAMPLES = 5


@dataclass(frozen=True)
class Scores:
    """pass@1 after training, and before it where that was asked for."""

    after: float
    before: float | None


def scores_of(after: Step, before: Step | None) -> Scores:
    """Read pass@1 from the score artifacts."""
    return Scores(_pass_at_1(_score(after)), None if before is None else _pass_at_1(_score(before)))


def report(store: Store, config: Pipeline, steps: Sequence[Step], scores: Scores, seconds: float) -> Path:
    """Write report.html and run.json of a finished run and return the page's path."""
    now = datetime.now(timezone.utc)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", config.name)
    directory = store.root / "runs" / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}-{name}"
    directory.mkdir(parents=True)
    page = _page(config, {step.name: step for step in steps}, scores, now)
    path = directory / "report.html"
    path.write_text(render_run(page), encoding="utf-8")
    record = {
        "created": now.isoformat(),
        "seconds": seconds,
        "pass_at_1": asdict(scores),
        "steps": [asdict(step) for step in steps],
        "config": config.model_dump(),
    }
    (directory / "run.json").write_text(json.dumps(record, indent=1, default=str))
    _show_on_dashboard(steps, scores, path)
    return path


def _page(config: Pipeline, steps: dict[str, Step], scores: Scores, now: datetime) -> RunPage:
    score = _score(steps["score"])
    answers = list(_answers(config, steps))
    return RunPage(
        title=config.name,
        created=f"{now:%Y-%m-%d %H:%M} UTC on {socket.gethostname()}",
        scores=list(_headline(score, scores)),
        facts=list(_facts(config, score, steps)),
        figures=list(_figures(steps)),
        steps=[_row(step) for step in steps.values()],
        passed=[answer for answer in answers if answer.passed][:_EXAMPLES],
        failed=[answer for answer in answers if not answer.passed][:_EXAMPLES],
        config=yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True),
    )


def _headline(score: ScoreReport, scores: Scores) -> Iterator[tuple[str, str]]:
    for found in score.pass_at_k:
        yield f"pass@{found.k} (95 %: {found.low:.2f} to {found.high:.2f})", f"{found.value:.3f}"
    if scores.before is not None:
        yield "pass@1 before training", f"{scores.before:.3f}"
    solved = sum(problem.correct > 0 for problem in score.problems)
    yield "problems solved", f"{solved} of {len(score.problems)}"


def _facts(config: Pipeline, score: ScoreReport, steps: dict[str, Step]) -> Iterator[str]:
    asked, limits = config.generate, score.limits
    way = "greedy" if asked.temperature == 0 else f"temperature {asked.temperature}, top_p {asked.top_p}"
    yield (
        f"{score.benchmark['name']} ({score.benchmark['problems']} problems, digest "
        f"{score.benchmark['digest'][:16]}), {asked.samples} {way} answer(s) a problem of at most "
        f"{asked.max_new_tokens} tokens, template {asked.template} "
        f"version {template(asked.template).version}."
    )
    yield (
        f"Answers ran at isolation level {score.isolation}, each with {limits['seconds']} s and "
        f"{bytes_in_words(limits['memory'])}."
    )
    yield (
        f"Trained for {config.train.steps} steps in {config.train.precision} on "
        f"{config.parallel.world_size} rank(s): data_parallel {config.parallel.data_parallel}, "
        f"model_parallel {config.parallel.model_parallel}, pipeline_stage {config.parallel.pipeline_stage}."
    )
    rows = json.loads(_rows_report(steps["preprocess"]).read_bytes())
    yield (
        f"{rows['records_in']:,} records gave {rows['rows_out']:,} rows: {rows['truncated']} truncated, "
        f"{rows['wholly_masked']} wholly masked, {rows['bad']} unreadable."
    )
    if "first-programs" in steps:
        yield from _leak_facts(steps["first-programs"])


def _rows_report(preprocess: Step) -> Path:
    return report_path(preprocess.path / ROWS / TRAIN)


def _leak_facts(made: Step) -> Iterator[str]:
    told = json.loads((made.path / "first_programs.json").read_bytes())
    leaks = ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in told["leaks"].items())
    yield (
        f"The benchmark's {told['problems']} problems were compared with the {told['programs']:,} "
        f"training programs. Shared {leaks}."
    )


def _figures(steps: dict[str, Step]) -> Iterator[Figure]:
    lines = (steps["launch"].path / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    at = [row["step"] for row in metrics]
    loss = [row["loss"] for row in metrics]
    yield Figure(
        "Training loss",
        line_plot({"loss": (at, loss)}, x_label="step", y_label="loss"),
        f"Mean cross-entropy of the trained tokens: {loss[0]:.3f} at first, {loss[-1]:.3f} at last.",
    )
    yield Figure(
        "Learning rate",
        line_plot({"lr": (at, [row["lr"] for row in metrics])}, x_label="step", y_label="learning rate"),
        "Linear warm-up, then a cosine.",
    )
    lengths = json.loads(_rows_report(steps["preprocess"]).read_bytes())["lengths"]
    edges = [lengths["step"] * i for i in range(len(lengths["counts"]) + 1)]
    yield Figure(
        "Length of the training samples",
        bar_plot(edges, lengths["counts"], x_label="tokens", y_label="samples"),
        f"The longest has {lengths['longest']} tokens; the last bar holds everything longer.",
    )


def _answers(config: Pipeline, steps: dict[str, Step]) -> Iterator[Answer]:
    benchmark = load_benchmark(resolve(config.generate.benchmark, steps.get("first-programs")))
    problems = {problem.task_id: problem for problem in benchmark.problems}
    for line in (steps["score"].path / "responses.jsonl_results.jsonl").read_text().splitlines():
        row = json.loads(line)
        prompt = problems[row["task_id"]].prompt
        yield Answer(row["task_id"], prompt, row["completion"], row["passed"], row["result"])


def _row(step: Step) -> StepRow:
    size = bytes_in_words(step.size)
    return StepRow(step.name, step.built_in, step.cached, size, step.inputs, step.digest, str(step.path))


def _show_on_dashboard(steps: Sequence[Step], scores: Scores, page: Path) -> None:
    rows = [
        {"step": step.name, "seconds": round(step.seconds, 1), "cached": step.cached, "digest": step.digest}
        for step in steps
    ]
    show_table("steps", rows, "What each step made")
    before = "" if scores.before is None else f" (before training: {scores.before:.3f})"
    show_markdown("score", f"pass@1 **{scores.after:.3f}**{before}\n\nReport: `{page}`")


def _score(step: Step) -> ScoreReport:
    return read_report(step.path / "score.json")


def _pass_at_1(score: ScoreReport) -> float:
    """Return pass@1: the share of right answers, averaged over problems, whatever k was asked for."""
    return sum(problem.correct / problem.samples for problem in score.problems) / len(score.problems)
