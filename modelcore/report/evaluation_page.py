"""An evaluation's report as one HTML page: the scores, what was won and lost, and every problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelcore.report.page import render
from modelcore.report.score_section import Figure, OwnScore, Reference, ScoreSection

__all__ = ["Contrast", "EvaluationPage", "render_evaluation"]


@dataclass(frozen=True)
class Contrast:
    """Two scores of one benchmark, problem by problem.

    Attributes:
        first, second: their names.
        won, lost: problems that only the second, and only the first, solves.
        p_value: of McNemar's exact test.
        conclusion: what it means, in words.
        differences: conditions that were not the same for both.
    """

    first: str
    second: str
    won: Sequence[str]
    lost: Sequence[str]
    p_value: float
    conclusion: str
    differences: Sequence[str]


@dataclass(frozen=True)
class EvaluationPage:
    """Everything the page shows.

    Attributes:
        title: the evaluation's name.
        created: when the page was made, and on which host.
        sections: a score for each checkpoint.
        contrasts: each score against the one before it.
        history: scores of this benchmark so far; None while this is the only one.
        own: these scores beside the published ones.
        published: what others reached on this benchmark; empty for a benchmark without such figures.
        config: the whole configuration as YAML.
    """

    title: str
    created: str
    sections: Sequence[ScoreSection]
    contrasts: Sequence[Contrast]
    history: Figure | None
    own: Sequence[OwnScore]
    published: Sequence[Reference]
    config: str


def render_evaluation(page: EvaluationPage) -> str:
    """Return the page as HTML text."""
    return render("evaluation_page.html", page)
