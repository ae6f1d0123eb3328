"""Every template renders strictly: text is escaped, and a missing value is an error rather than empty."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from jinja2 import UndefinedError

from modelcore.report.data_section import CountRow, DataPage, DataSection, TextSpan, render_data_page
from modelcore.report.page import render

SECTION = DataSection(
    headline=[("records in", "100")],
    counts=[
        CountRow("invalid", 3, "skipped", [7, 9], is_loss=True),
        CountRow("truncated", 0, "cut", is_loss=True),
        CountRow("rows out", 1234, "written", [1]),
    ],
    notes=["a < b", "moved \x1b[2J and turned \u202e"],
    lengths_svg="<svg></svg>",
    lengths_caption="lengths",
    shares=[("trained", 0.25), ("padding", 0.75)],
    contamination=[],
    messages=[],
    rows=[[TextSpan("masked", 2, "a\ud800b"), TextSpan("padding", 5, "")]],
)


def test_text_is_escaped_and_surrogates_are_replaced() -> None:
    html = render_data_page(DataPage("<title>", [], SECTION))
    assert "<h1>&lt;title&gt;</h1>" in html and "a &lt; b" in html and "<svg></svg>" in html
    assert "moved \\x1b[2J and turned \\u202e" in html
    assert "a\N{REPLACEMENT CHARACTER}b" in html


def test_only_counts_of_losses_above_zero_are_marked() -> None:
    html = render_data_page(DataPage("rows", [], SECTION))
    assert html.count('<tr class="loss">') == 1
    assert '<tr class="loss">\n<td>invalid</td><td class="number">3</td>' in html
    assert '<td>rows out</td><td class="number">1,234</td>' in html


def test_records_are_listed_and_further_ones_indicated() -> None:
    html = render_data_page(DataPage("rows", [], SECTION))
    assert "<small>records 7, 9, …</small>" in html
    assert "Errors in invalid records" not in html and "Benchmark problems" not in html


def test_a_run_of_padding_is_shown_by_its_length() -> None:
    assert ">5 tokens of padding</span>" in render_data_page(DataPage("rows", [], SECTION))


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("data_page.html", SimpleNamespace(title="rows"))
