"""What preprocessing did to the data, as part of a page: counts, two plots, and rows with their masks.

Handed plain data; knows no files and no formats. A page includes data_section.html with `section` set to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelcore.report.page import render

__all__ = ["DataPage", "DataSection", "ShownSpan", "render_data_page"]


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


@dataclass(frozen=True)
class DataPage:
    """The section as a page of its own."""

    title: str
    data: DataSection


def render_data_page(page: DataPage) -> str:
    """Return the page as HTML text."""
    return render("data_page.html", page)
