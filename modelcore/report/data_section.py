"""What preprocessing did to the data, as part of a page: counts, two plots, and rows with their masks.

Handed plain data; knows no files and no formats. Whatever stands in the data is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DataSection", "ShownSpan", "render_data", "render_data_page"]


@dataclass(frozen=True)
class ShownSpan:
    """A run of tokens of one kind: "trained", "masked" or "padding", how many, and what they spell."""

    kind: str
    tokens: int
    text: str


@dataclass(frozen=True)
class DataSection:
    """Everything the section shows.

    Attributes:
        headline: label and value of the figures that matter most.
        counts: name, count, what it means and the first record numbers it befell; a loss has `True` last.
        notes: sentences that a reader must know of these rows.
        lengths_svg: the histogram of token counts, as SVG text.
        lengths_caption: what to see in it.
        fate: name and share (0 to 1) of what became of all positions in the rows, in order.
        contamination: benchmark problem and the records that share text with it.
        messages: what was wrong with the first bad records.
        rows: the first rows, decoded.
    """

    headline: Sequence[tuple[str, str]]
    counts: Sequence[tuple[str, int, str, Sequence[int], bool]]
    notes: Sequence[str]
    lengths_svg: str
    lengths_caption: str
    fate: Sequence[tuple[str, float]]
    contamination: Sequence[tuple[str, Sequence[int]]]
    messages: Sequence[str]
    rows: Sequence[Sequence[ShownSpan]]


def render_data(section: DataSection) -> str:
    """Return the section as a piece of HTML that brings its styles along."""
    return _render("data_section.html", section=section)


def render_data_page(title: str, section: DataSection) -> str:
    """Return a page of its own that holds the section: self-contained, without script."""
    return _render("data_page.html", title=title, section=section)


def _render(template: str, **values: object) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(**values)
