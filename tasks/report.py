"""A pipeline run's report: what each step made, gathered from the artifacts, and the page that shows it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import yaml

from modelcore.config.schema import Pipeline
from modelcore.data.output import report_path
from modelcore.data.page import data_section
from modelcore.data.report import PreprocessReport
from modelcore.evaluation.history import HISTORY, read_history
from modelcore.report.data_section import DataSection
from modelcore.report.plots import line_plot
from modelcore.report.run_page import RunPage, StepRow, render_run
from modelcore.report.score_section import Figure, ScoreSection
from modelcore.report.words import bytes_in_words
from modelcore.store.store import Store
from tasks.dashboard import show_markdown, show_table
from tasks.preprocess import ROWS, TRAIN
from tasks.run_directory import write_run
from tasks.score_parts import contrast, history_figure, own_score, published_beside, score_section
from tasks.scored import Scored
from tasks.step import Step

__all__ = ["Scores", "report"]


@dataclass(frozen=True)
class Scores:
    """pass@1 after training, and before it where that was asked for."""

    after: float
    before: float | None


def report(
    store: Store,
    config: Pipeline,
    steps: Sequence[Step],
    after: Scored,
    before: Scored | None,
    seconds: float,
) -> Path:
    """Write report.html and run.json of a finished run and return the page's path.

    Args:
        store: where the report goes.
        config: of the run.
        steps: what was made, in order.
        after: the score of the trained checkpoint.
        before: that of the one it started from.
        seconds: the run took.
    """
    now = datetime.now(timezone.utc)
    page = _page(store, config, {step.name: step for step in steps}, after, before, now)
    scores = Scores(after.pass_at_1, None if before is None else before.pass_at_1)
    record = {
        "created": now.isoformat(),
        "seconds": seconds,
        "pass_at_1": asdict(scores),
        "steps": [asdict(step) for step in steps],
        "config": config.model_dump(),
    }
    path = write_run(store, config.name, now, render_run(page), record)
    _show_on_dashboard(steps, scores, path)
    return path


def _page(
    store: Store,
    config: Pipeline,
    steps: dict[str, Step],
    after: Scored,
    before: Scored | None,
    now: datetime,
) -> RunPage:
    mark = after.report.benchmark
    runs = read_history(store.root / HISTORY).of(mark["name"], mark["digest"])
    history = history_figure(runs, mark["name"])
    return RunPage(
        title=config.name,
        created=f"{now:%Y-%m-%d %H:%M} UTC on {socket.gethostname()}",
        score=_section(config, after, before),
        contrasts=[] if before is None else [contrast(before, after)],
        facts=list(_facts(config, steps)),
        figures=[*_figures(steps), *([] if history is None else [history])],
        data=_data(steps["preprocess"]),
        own=own_score(after),
        published=published_beside(after),
        steps=[_row(step) for step in steps.values()],
        config=yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True),
    )


def _section(config: Pipeline, after: Scored, before: Scored | None) -> ScoreSection:
    section = score_section(after, config.generate)
    if before is None:
        return section
    earlier = ("pass@1 before training", f"{before.pass_at_1:.3f}")
    return replace(section, headline=[*section.headline, earlier])


def _facts(config: Pipeline, steps: dict[str, Step]) -> Iterator[str]:
    yield (
        f"Trained for {config.train.steps} steps in {config.train.precision} on "
        f"{config.parallel.world_size} rank(s): data_parallel {config.parallel.data_parallel}, "
        f"model_parallel {config.parallel.model_parallel}, pipeline_stage {config.parallel.pipeline_stage}."
    )
    if "first-programs" in steps:
        yield from _leak_facts(steps["first-programs"])


def _data(preprocess: Step) -> DataSection:
    return data_section(PreprocessReport.read(report_path(preprocess.path / ROWS / TRAIN)))


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
