"""The report on preprocessing as a page, or as a section of a run's page."""

from __future__ import annotations

from pathlib import Path

from modelcore.data.mindrecord.decode import Span
from modelcore.data.mindrecord.output import page_path
from modelcore.data.report import PreprocessReport
from modelcore.report.data_section import DataPage, DataSection, ShownSpan, render_data_page
from modelcore.report.plots import bar_plot

__all__ = ["data_section", "write_page"]

_LISTED = 12  # record numbers shown of each kind; the JSON has more

_COUNTS = (
    ("records_in", "records in", "found in the source"),
    ("bad", "bad", "could not be read and were left out"),
    ("duplicates", "duplicates", "exactly like an earlier one, removed"),
    ("near_duplicates", "near duplicates", "nearly like an earlier one"),
    ("contaminated", "contaminated", "share text with a benchmark"),
    ("empty_answers", "empty answers", "nothing to learn but the end"),
    ("truncated", "truncated", "longer than a row and cut off"),
    ("tokens_lost", "tokens lost", "cut off with them"),
    ("wholly_masked", "wholly masked", "nothing to learn was left in the row"),
    ("dropped_tokens", "tokens left over", "fill no row at the end of the stream"),
    ("rows_out", "rows out", "written"),
    ("validation_rows", "rows for validation", "of those, held back"),
)
_LOSSES = ("bad", "truncated", "tokens_lost", "wholly_masked")


def write_page(path: Path, report: PreprocessReport) -> None:
    """Write the report on the rows in `path` as a self-contained page beside them."""
    html = render_data_page(DataPage(f"{path.name}: {report.format} rows", data_section(report)))
    page_path(path).write_text(html, encoding="utf-8")


def data_section(report: PreprocessReport) -> DataSection:
    """Return what a page shows of a report."""
    lengths = report.lengths
    edges = [lengths.step * i for i in range(len(lengths.counts) + 1)]
    return DataSection(
        headline=_headline(report),
        counts=[
            (name, getattr(report, key), meaning, report.listed.get(key, [])[:_LISTED], key in _LOSSES)
            for key, name, meaning in _COUNTS
        ],
        notes=report.notes,
        lengths_svg=bar_plot(edges, lengths.counts, x_label="tokens", y_label="samples", mark=report.width),
        lengths_caption=f"A row holds {report.width:,} tokens (the line); the longest sample has "
        f"{lengths.longest:,}. The last bar holds everything longer.",
        fate=_fate(report),
        contamination=sorted(report.contamination.items()),
        messages=report.messages,
        rows=[[_shown(span) for span in row] for row in report.first_rows],
    )


def _headline(report: PreprocessReport) -> list[tuple[str, str]]:
    lost = sum(report.losses.values())
    return [
        ("records in", f"{report.records_in:,}"),
        ("rows out", f"{report.rows_out:,}"),
        ("tokens in rows", f"{report.tokens:,}"),
        ("trained share of them", f"{report.trained_share:.1%}"),
        ("losses", f"{lost:,}"),
    ]


def _fate(report: PreprocessReport) -> list[tuple[str, float]]:
    """Return the shares of trained, masked and padded positions; a stream has no padding."""
    positions = max(1, report.rows_out * report.width)
    masked = report.tokens - report.trained_tokens
    shares = [("trained", report.trained_tokens), ("masked", masked), ("padding", positions - report.tokens)]
    return [(kind, count / positions) for kind, count in shares if count > 0]


def _shown(span: Span) -> ShownSpan:
    return ShownSpan(span.kind, span.tokens, span.text)
