"""The report of a run as one HTML page: score, training, data, steps, and the inputs and outputs of each.

Holds plain data; knows neither steps nor files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelcore.report.data_section import DataSection
from modelcore.report.page import render
from modelcore.report.score_section import ComparisonSection, Figure, OwnScore, PublishedScore, ScoreSection
from modelcore.report.training_section import TrainingSection

__all__ = ["RunPage", "StepRow", "render_run"]


@dataclass(frozen=True)
class StepRow:
    """A step: its name, the seconds it took to build, and the digests of what went in and came out.

    `link` leads from the report to the output; "" if it is not in the report's store.
    """

    name: str
    seconds: float
    cached: bool
    size: str
    inputs: Mapping[str, str]
    digest: str
    path: str
    link: str = ""


@dataclass(frozen=True)
class RunPage:
    """Everything the page shows.

    Attributes:
        title: the run's name.
        created: when, where and by which code the page was written, and how long the run took.
        warnings: what may make the numbers below other than expected; shown first.
        score: of the trained checkpoint.
        comparisons: of the trained checkpoint with the one before training.
        training: losses, learning rate, speed and memory.
        figures: further plots.
        data: the result of preprocessing the training data.
        own: the scores before and after training, to be shown among the published ones.
        published: published scores on the benchmark; empty if there are none.
        steps: every step in order.
        config: the whole configuration as YAML.
    """

    title: str
    created: str
    warnings: Sequence[str]
    score: ScoreSection
    comparisons: Sequence[ComparisonSection]
    training: TrainingSection
    figures: Sequence[Figure]
    data: DataSection
    own: Sequence[OwnScore]
    published: Sequence[PublishedScore]
    steps: Sequence[StepRow]
    config: str


def render_run(page: RunPage) -> str:
    """Return the page as HTML text."""
    return render("run_page.html", page)
