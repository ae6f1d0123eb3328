"""A run's report as one HTML page: what was done, what came out, and from what.

The page is handed plain data and knows neither steps nor files. It is self-contained: styles and
plots are inline, there is no script, and whatever a model wrote is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Answer", "Figure", "RunPage", "StepRow", "render_run"]


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
class Figure:
    """A plot as SVG text, with a caption that says what to see in it."""

    title: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Answer:
    """One benchmark problem with the model's answer and what became of it."""

    task_id: str
    prompt: str
    program: str
    passed: bool
    verdict: str


@dataclass(frozen=True)
class RunPage:
    """Everything the page shows.

    Attributes:
        title: the run's name.
        created: when the page was made, and on which host.
        scores: label and value of each headline figure, first the most important.
        facts: sentences that a reader needs to judge the figures.
        figures: plots.
        steps: every step in order.
        passed: examples of solved problems.
        failed: examples of unsolved ones.
        config: the whole configuration as YAML.
    """

    title: str
    created: str
    scores: Sequence[tuple[str, str]]
    facts: Sequence[str]
    figures: Sequence[Figure]
    steps: Sequence[StepRow]
    passed: Sequence[Answer]
    failed: Sequence[Answer]
    config: str


def render_run(page: RunPage) -> str:
    """Return the page as HTML text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("run_page.html").render(page=page)
