"""A score as pages show it: the figure with its interval, what it depends on, and every problem.

Plain data for `parts.html`; knows neither steps nor files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Answer", "Figure", "OwnScore", "Problem", "Reference", "ScoreSection"]


@dataclass(frozen=True)
class Figure:
    """A plot as SVG text, with a caption that says what to see in it."""

    title: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Answer:
    """What a model answered and what became of it."""

    program: str
    verdict: str
    reason: str

    @property
    def passed(self) -> bool:
        """Whether it is right."""
        return self.verdict == "passed"


@dataclass(frozen=True)
class Problem:
    """One benchmark problem with the model's answers; `hidden` answers are not shown."""

    task_id: str
    prompt: str
    samples: int
    correct: int
    answers: Sequence[Answer]
    hidden: int = 0

    @property
    def group(self) -> str:
        """What the page's filter goes by: `passed`, or the verdict of the first answer."""
        return "passed" if self.correct else self.answers[0].verdict


@dataclass(frozen=True)
class Reference:
    """A published score, in per cent, with the conditions it was reached under."""

    model: str
    percent: float
    conditions: str
    source: str


@dataclass(frozen=True)
class OwnScore:
    """The score that published ones are compared with, in per cent with its 95 % interval."""

    name: str
    percent: float
    low: float
    high: float


@dataclass(frozen=True)
class ScoreSection:
    """Everything a page shows of one score.

    Attributes:
        title: the checkpoint's name.
        headline: label and value of each figure, first the most important.
        contamination: the sentence that stands beside the score; empty where nothing is known.
        conditions: name and value of everything the score depends on.
        verdicts: verdict and how many samples got it, none left out but those with none.
        problems: every problem, in the benchmark's order.
    """

    title: str
    headline: Sequence[tuple[str, str]]
    contamination: str
    conditions: Sequence[tuple[str, str]]
    verdicts: Sequence[tuple[str, int]]
    problems: Sequence[Problem]

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The filter's choices with the number of problems in each, `passed` first."""
        found: dict[str, int] = {"passed": 0}
        for problem in self.problems:
            found[problem.group] = found.get(problem.group, 0) + 1
        return [(name, count) for name, count in found.items() if count]
