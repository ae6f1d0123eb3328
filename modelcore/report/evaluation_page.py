"""The report of an evaluation as one HTML page: scores, comparisons, history and every problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelcore.report.page import render
from modelcore.report.score_section import ComparisonSection, Figure, OwnScore, PublishedScore, ScoreSection

__all__ = ["EvaluationPage", "render_evaluation"]


@dataclass(frozen=True)
class EvaluationPage:
    """Everything the page shows.

    Attributes:
        title: the evaluation's name.
        created: when and on which host the page was written.
        warnings: sentences on which the meaning of a score depends.
        sections: one score per checkpoint.
        comparisons: each score with the one before it.
        history: the latest scores of this benchmark; None if this is the only one.
        own: these scores, to be shown among the published ones.
        published: published scores on this benchmark; empty if there are none.
        config: the whole configuration as YAML.
    """

    title: str
    created: str
    warnings: Sequence[str]
    sections: Sequence[ScoreSection]
    comparisons: Sequence[ComparisonSection]
    history: Figure | None
    own: Sequence[OwnScore]
    published: Sequence[PublishedScore]
    config: str


def render_evaluation(page: EvaluationPage) -> str:
    """Return the page as HTML text."""
    return render("evaluation_page.html", page)
