"""A pipeline run's report: what each step made, gathered from the artifacts, and the page that shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import yaml

from modelcore.config.schema import Pipeline
from modelcore.evaluation.history import HISTORY, read_history
from modelcore.report.run_page import RunPage, render_run
from modelcore.report.score_section import ScoreSection
from modelcore.store.store import Store
from tasks.dashboard import show_markdown, show_table
from tasks.run_directory import write_run
from tasks.score_parts import contrast, history_figure, own_score, published_beside, score_section
from tasks.scored import Scored
from tasks.step import Step
from tasks.training_report import created, data_of, row_of, training_of

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
        created=created(now),
        score=_section(config, after, before),
        contrasts=[] if before is None else [contrast(before, after)],
        facts=list(_leak_facts(steps["first-programs"])) if "first-programs" in steps else [],
        training=training_of(config, steps["launch"]),
        figures=[] if history is None else [history],
        data=data_of(steps["preprocess"]),
        own=own_score(after),
        published=published_beside(after),
        steps=[row_of(step) for step in steps.values()],
        config=yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True),
    )


def _section(config: Pipeline, after: Scored, before: Scored | None) -> ScoreSection:
    section = score_section(after, config.generate)
    if before is None:
        return section
    earlier = ("pass@1 before training", f"{before.pass_at_1:.3f}")
    return replace(section, headline=[*section.headline, earlier])


def _leak_facts(made: Step) -> Iterator[str]:
    told = json.loads((made.path / "first_programs.json").read_bytes())
    leaks = ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in told["leaks"].items())
    yield (
        f"The benchmark's {told['problems']} problems were compared with the {told['programs']:,} "
        f"training programs. Shared {leaks}."
    )


def _show_on_dashboard(steps: Sequence[Step], scores: Scores, page: Path) -> None:
    rows = [
        {"step": step.name, "seconds": round(step.seconds, 1), "cached": step.cached, "digest": step.digest}
        for step in steps
    ]
    show_table("steps", rows, "What each step made")
    before = "" if scores.before is None else f" (before training: {scores.before:.3f})"
    show_markdown("score", f"pass@1 **{scores.after:.3f}**{before}\n\nReport: `{page}`")
