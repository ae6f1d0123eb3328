"""A score as pages show it: the figures, their conditions, comparisons and every problem.

Holds plain data for `parts.html`; knows neither steps nor files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "Answer",
    "ComparisonSection",
    "Figure",
    "OwnScore",
    "Problem",
    "PublishedScore",
    "ScoreSection",
]


@dataclass(frozen=True)
class Figure:
    """A plot as SVG text, with its title and caption."""

    title: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Answer:
    """A model's completion with its verdict."""

    completion: str
    verdict: str
    reason: str

    @property
    def passed(self) -> bool:
        """Whether it is correct."""
        return self.verdict == "passed"


@dataclass(frozen=True)
class Problem:
    """One benchmark problem with the model's answers, of which `hidden` further ones are not shown."""

    task_id: str
    prompt: str
    samples: int
    correct: int
    answers: Sequence[Answer]
    hidden: int = 0

    @property
    def group(self) -> str:
        """The group by which the page filters: `passed` if any answer is, else the first answer's verdict."""
        return "passed" if self.correct else self.answers[0].verdict


@dataclass(frozen=True)
class PublishedScore:
    """A published score in per cent, with its conditions."""

    model: str
    percent: float
    conditions: str
    source: str


@dataclass(frozen=True)
class OwnScore:
    """A score of this run in per cent, with its 95 % interval, to be shown among published ones."""

    name: str
    percent: float
    low: float
    high: float
    template: str


@dataclass(frozen=True)
class ComparisonSection:
    """Two scores on one benchmark, compared problem by problem.

    Attributes:
        first, second: their names.
        won, lost: problems that only the second solves, and only the first.
        p_value: of McNemar's exact test.
        conclusion: the meaning of the p-value, in words.
        differences: conditions that differ between the two.
        remark: a sentence on what that means for the comparison; empty if there is nothing to say.
    """

    first: str
    second: str
    won: Sequence[str]
    lost: Sequence[str]
    p_value: float
    conclusion: str
    differences: Sequence[str]
    remark: str = ""


@dataclass(frozen=True)
class ScoreSection:
    """Everything a page shows of one score.

    Attributes:
        title: the checkpoint's name.
        headline: label and value of each figure, the most important first.
        contamination: a sentence on benchmark text in the training data; empty if nothing is known.
        conditions: name and value of each condition of the score.
        verdicts: each verdict and its number of samples, without verdicts that no sample got.
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
        """The groups of problems with the number of problems in each, `passed` first."""
        counts: dict[str, int] = {"passed": 0}
        for problem in self.problems:
            counts[problem.group] = counts.get(problem.group, 0) + 1
        return [(name, count) for name, count in counts.items() if count]
