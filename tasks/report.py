"""A pipeline run's report, gathered from the steps' artifacts: the page, and run.json beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import yaml

from modelcore.config.runs import Pipeline
from modelcore.evaluation.history import HISTORY, read_history
from modelcore.report.run_page import RunPage, render_run
from modelcore.report.score_section import ScoreSection
from modelcore.store.store import Store
from tasks.dashboard import (
    figures_as_markdown,
    headline_as_markdown,
    report_link,
    show_lineage,
    show_markdown,
    show_steps,
)
from tasks.run_directory import write_run
from tasks.score_parts import comparison_section, history_figure, own_score, published_beside, score_section
from tasks.scored import Scored
from tasks.step import Step, TrainingSteps
from tasks.step_recorder import StepRecorder
from tasks.training_report import created, data_of, row_of, training_of, warnings_of

__all__ = ["Scores", "report", "scores_of"]


@dataclass(frozen=True)
class Scores:
    """pass@1 and prompt template after training, and before it if the run has a baseline."""

    after: float
    before: float | None
    template: str
    template_before: str | None


def scores_of(after: Scored, before: Scored | None) -> Scores:
    """Return a run's scores."""
    return Scores(
        after=after.pass_at_1,
        before=None if before is None else before.pass_at_1,
        template=after.template,
        template_before=None if before is None else before.template,
    )


def report(
    store: Store,
    config: Pipeline,
    training: TrainingSteps,
    after: Scored,
    before: Scored | None,
    recorder: StepRecorder,
) -> Path:
    """Write report.html and run.json of a finished run and return the page's path.

    Args:
        store: where the report goes.
        config: of the run.
        training: the steps from the source to the trained checkpoint.
        after: the score of the trained checkpoint.
        before: the score of the checkpoint it started from, if the run has a baseline.
        recorder: every step of the run, and its time.
    """
    now = datetime.now(timezone.utc)
    page = _page(store, config, training, after, before, recorder, now)
    scores = scores_of(after, before)
    record = {
        "created": now.isoformat(),
        "seconds": recorder.seconds,
        "pass_at_1": {"after": scores.after, "before": scores.before},
        "templates": {"after": scores.template, "before": scores.template_before},
        "steps": [asdict(step) for step in recorder.steps],
        "config": config.model_dump(),
    }
    path = write_run(store, config.name, now, render_run(page), record)
    _show_on_dashboard(store, recorder.steps, page, scores, path)
    return path


def _page(
    store: Store,
    config: Pipeline,
    training: TrainingSteps,
    after: Scored,
    before: Scored | None,
    recorder: StepRecorder,
    now: datetime,
) -> RunPage:
    benchmark = after.report.conditions.benchmark
    runs = read_history(store.root / HISTORY).of(benchmark.name, benchmark.digest)
    history = history_figure(runs, benchmark.name)
    return RunPage(
        title=config.name,
        created=created(now, recorder.seconds),
        warnings=[*warnings_of(training.preprocess), *filter(None, [after.warning])],
        score=_section(config, after, before),
        comparisons=[] if before is None else [comparison_section(before, after)],
        training=training_of(config, training.launch),
        figures=[] if history is None else [history],
        data=data_of(training.preprocess),
        own=[own for scored in filter(None, (before, after)) for own in own_score(scored)],
        published=published_beside(after),
        steps=[row_of(step, store) for step in recorder.steps],
        config=yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True),
    )


def _section(config: Pipeline, after: Scored, before: Scored | None) -> ScoreSection:
    section = score_section(after, config.generate)
    if before is None:
        return section
    template = "" if before.template == after.template else f" (template {before.template})"
    earlier = (f"pass@1 before training{template}", f"{before.pass_at_1:.3f}")
    return replace(section, headline=[*section.headline, earlier])


def _show_on_dashboard(
    store: Store, steps: Sequence[Step], page: RunPage, scores: Scores, path: Path
) -> None:
    show_steps(steps)
    show_lineage(store, steps)
    lines = [f"pass@1 **{scores.after:.3f}** (template {scores.template})"]
    if scores.before is not None:
        lines.append(f"before training {scores.before:.3f} (template {scores.template_before})")
    figures = figures_as_markdown([*page.training.figures[:1], *page.figures])
    before = "" if scores.before is None else f", {scores.before:.3f} before training"
    parts = [*lines, headline_as_markdown(page.score.headline), report_link(path), figures]
    show_markdown("score", "\n\n".join(parts), f"pass@1 {scores.after:.3f}{before}: {page.title}")
