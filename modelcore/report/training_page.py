"""The report of a run that only trains, as one HTML page: losses, speed, data and steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelcore.report.data_section import DataSection
from modelcore.report.page import render
from modelcore.report.run_page import StepRow
from modelcore.report.training_section import TrainingSection

__all__ = ["TrainingPage", "render_training"]


@dataclass(frozen=True)
class TrainingPage:
    """Everything the page shows.

    Attributes:
        title: the run's name.
        created: when and on which host the page was written.
        warnings: what may make the numbers below other than expected; shown first.
        training: losses, learning rate, speed and memory.
        data: the result of preprocessing the training data.
        steps: every step in order.
        config: the whole configuration as YAML.
    """

    title: str
    created: str
    warnings: Sequence[str]
    training: TrainingSection
    data: DataSection
    steps: Sequence[StepRow]
    config: str


def render_training(page: TrainingPage) -> str:
    """Return the page as HTML text."""
    return render("training_page.html", page)
