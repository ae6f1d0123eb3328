"""An evaluation's report: scores, problems won and lost, every problem, history, published figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path

import yaml

from modelcore.config.runs import Evaluate
from modelcore.evaluation.history import HISTORY, Run, read_history
from modelcore.report.evaluation_page import EvaluationPage, render_evaluation
from modelcore.store.store import Store
from tasks.dashboard import (
    figures_as_markdown,
    headline_as_markdown,
    report_link,
    show_lineage,
    show_markdown,
    show_steps,
    show_table,
)
from tasks.run_directory import write_run
from tasks.score_parts import comparison_section, history_figure, own_score, published_beside, score_section
from tasks.scored import Scored
from tasks.step_recorder import StepRecorder
from tasks.training_report import created

__all__ = ["evaluation_report"]


def evaluation_report(
    store: Store, config: Evaluate, scores: Sequence[Scored], recorder: StepRecorder
) -> Path:
    """Write the page and run.json of a finished evaluation, and return the page's path."""
    now = datetime.now(timezone.utc)
    page = _page(store, config, scores, created(now, recorder.seconds))
    record = {
        "created": now.isoformat(),
        "results": [asdict(scored.run) for scored in scores],
        "steps": [asdict(step) for step in recorder.steps],
        "config": config.model_dump(),
    }
    path = write_run(store, config.name, now, render_evaluation(page), record)
    show_steps(recorder.steps)
    show_lineage(store, recorder.steps)
    _show_on_dashboard(scores, page, path)
    return path


def _page(store: Store, config: Evaluate, scores: Sequence[Scored], created: str) -> EvaluationPage:
    benchmark = scores[0].report.conditions.benchmark
    runs = read_history(store.root / HISTORY).of(benchmark.name, benchmark.digest)
    return EvaluationPage(
        title=f"{config.name}: {benchmark.name}",
        created=created,
        warnings=[f"{scored.name}: {scored.warning}" for scored in scores if scored.warning is not None],
        sections=[score_section(scored, config.generate) for scored in scores],
        comparisons=[comparison_section(before, after) for before, after in pairwise(scores)],
        history=history_figure(runs, benchmark.name),
        own=[own for scored in scores for own in own_score(scored)],
        published=published_beside(scores[0]),
        config=yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True),
    )


def _show_on_dashboard(scores: Sequence[Scored], page: EvaluationPage, path: Path) -> None:
    show_table("scores", [_row(scored.run) for scored in scores], "Scores with their 95 % intervals")
    parts = [f"## {section.title}\n\n{headline_as_markdown(section.headline)}" for section in page.sections]
    figures = figures_as_markdown([] if page.history is None else [page.history])
    best = max(scored.pass_at_1 for scored in scores)
    show_markdown(
        "score", "\n\n".join([*parts, report_link(path), figures]), f"pass@1 {best:.3f}: {page.title}"
    )


def _row(run: Run) -> dict[str, str]:
    named = {"id": run.id, "checkpoint": run.checkpoint, "benchmark": run.benchmark}
    scores = {
        f"pass@{k}": f"{v:.3f} ({low:.3f} to {high:.3f})" for k, (v, low, high) in run.pass_at_k.items()
    }
    return named | scores
