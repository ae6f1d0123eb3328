"""The result of preprocessing, as part of a page: counts, two plots, and rows with their masks.

Holds plain data; knows no files and no formats. A page includes data_section.html with `section` set to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelcore.report.page import render

__all__ = ["CountRow", "DataPage", "DataSection", "TextSpan", "render_data_page"]


@dataclass(frozen=True)
class TextSpan:
    """A run of tokens of one kind ("trained", "masked" or "padding"): how many, and their text."""

    kind: str
    tokens: int
    text: str


@dataclass(frozen=True)
class CountRow:
    """One row of the table of counts.

    Attributes:
        name: what is counted.
        count: how many.
        meaning: of the name, in a few words.
        records: numbers of the first records counted.
        is_loss: whether a count above zero means that data was lost.
    """

    name: str
    count: int
    meaning: str
    records: Sequence[int] = ()
    is_loss: bool = False


@dataclass(frozen=True)
class DataSection:
    """Everything the section shows.

    Attributes:
        headline: label and value of the most important figures.
        counts: the table of counts.
        notes: sentences that a reader of these rows must know.
        lengths_svg: the histogram of token counts, as SVG text.
        lengths_caption: its caption.
        shares: kind and share (0 to 1) of all positions in the rows, in the order of the bar.
        contamination: benchmark problem and the records that share text with it.
        messages: errors in the first invalid records.
        rows: the first rows, decoded.
    """

    headline: Sequence[tuple[str, str]]
    counts: Sequence[CountRow]
    notes: Sequence[str]
    lengths_svg: str
    lengths_caption: str
    shares: Sequence[tuple[str, float]]
    contamination: Sequence[tuple[str, Sequence[int]]]
    messages: Sequence[str]
    rows: Sequence[Sequence[TextSpan]]


@dataclass(frozen=True)
class DataPage:
    """The section as a separate page; the warnings come first."""

    title: str
    warnings: Sequence[str]
    data: DataSection


def render_data_page(page: DataPage) -> str:
    """Return the page as HTML text."""
    return render("data_page.html", page)
