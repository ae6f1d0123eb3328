"""A run's report as one HTML page: what was done, what came out, and from what.

The page is handed plain data and knows neither steps nor files. It is self-contained: styles and
plots are inline, there is no script, and whatever a model wrote is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelcore.report.data_section import DataSection
from modelcore.report.evaluation_page import Contrast
from modelcore.report.page import render
from modelcore.report.score_section import Figure, OwnScore, Reference, ScoreSection
from modelcore.report.training_section import TrainingSection

__all__ = ["RunPage", "StepRow", "render_run"]


@dataclass(frozen=True)
class StepRow:
    """A step: its name, the seconds it took to build, and the digests of what went in and came out."""

    name: str
    seconds: float
    cached: bool
    size: str
    inputs: Mapping[str, str]
    digest: str
    path: str


@dataclass(frozen=True)
class RunPage:
    """Everything the page shows.

    Attributes:
        title: the run's name.
        created: when the page was made, and on which host.
        score: of the trained checkpoint.
        contrasts: it against the checkpoint before training.
        training: losses, learning rate, speed and memory.
        figures: other plots.
        data: what preprocessing did to the training data.
        own: the score beside the published ones.
        published: what others reached on the benchmark; empty for one without such figures.
        steps: every step in order.
        config: the whole configuration as YAML.
    """

    title: str
    created: str
    score: ScoreSection
    contrasts: Sequence[Contrast]
    training: TrainingSection
    figures: Sequence[Figure]
    data: DataSection
    own: Sequence[OwnScore]
    published: Sequence[Reference]
    steps: Sequence[StepRow]
    config: str


def render_run(page: RunPage) -> str:
    """Return the page as HTML text."""
    return render("run_page.html", page)
