"""The report on preprocessing as an HTML page, or as a section of a run's page."""

from __future__ import annotations

from pathlib import Path

from modelcore.data.losses import loss_warning
from modelcore.data.mindrecord.output import page_path
from modelcore.data.report import PreprocessReport
from modelcore.report.data_section import CountRow, DataPage, DataSection, TextSpan, render_data_page
from modelcore.report.plots import bar_plot

__all__ = ["data_section", "write_page"]

_SHOWN_RECORDS = 12  # for each count; the JSON report lists more

_COUNTS = (
    ("records_in", "records in", "records in the source"),
    ("bad", "invalid", "records that could not be used and were skipped"),
    ("duplicates", "duplicates", "samples equal to an earlier one, removed"),
    ("near_duplicates", "near duplicates", "samples nearly equal to an earlier one"),
    ("contaminated", "contaminated", "samples that share text with a benchmark"),
    ("empty_answers", "empty answers", "samples with only the end token in the loss"),
    ("truncated", "truncated", "samples cut to the length of a row"),
    ("tokens_lost", "tokens lost", "tokens cut off these samples"),
    ("wholly_masked", "wholly masked", "samples without tokens in the loss"),
    ("dropped_tokens", "tokens left over", "tokens at the end of the stream that fill no row"),
    ("rows_out", "rows out", "rows written"),
    ("validation_rows", "validation rows", "rows written to the validation file"),
)
_LOSSES = ("bad", "truncated", "tokens_lost", "wholly_masked")


def write_page(path: Path, report: PreprocessReport) -> None:
    """Write the report on the rows in `path` as a self-contained page beside them."""
    warning = loss_warning(report)
    warnings = [] if warning is None else [warning]
    html = render_data_page(DataPage(f"{path.name}: {report.format} rows", warnings, data_section(report)))
    page_path(path).write_text(html, encoding="utf-8")


def data_section(report: PreprocessReport) -> DataSection:
    """Return what a page shows of a report."""
    lengths = report.lengths
    edges = [lengths.step * i for i in range(len(lengths.counts) + 1)]
    return DataSection(
        headline=_headline(report),
        counts=[
            CountRow(
                name=name,
                count=getattr(report, key),
                meaning=meaning,
                records=report.listed.get(key, [])[:_SHOWN_RECORDS],
                is_loss=key in _LOSSES,
            )
            for key, name, meaning in _COUNTS
        ],
        notes=report.notes,
        lengths_svg=bar_plot(edges, lengths.counts, x_label="tokens", y_label="samples", mark=report.width),
        lengths_caption=f"Tokens per sample. A row has {report.width:,} (the vertical line), the longest "
        f"sample {lengths.longest:,}. The last bar includes all longer samples.",
        shares=_shares(report),
        contamination=sorted(report.contamination.items()),
        messages=report.messages,
        rows=[[TextSpan(span.kind, span.tokens, span.text) for span in row] for row in report.first_rows],
    )


def _headline(report: PreprocessReport) -> list[tuple[str, str]]:
    lost = sum(report.losses.values())
    return [
        ("records in", f"{report.records_in:,}"),
        ("rows out", f"{report.rows_out:,}"),
        ("tokens in rows", f"{report.tokens:,}"),
        ("tokens in the loss", f"{report.trained_share:.1%}"),
        ("losses", f"{lost:,}"),
    ]


def _shares(report: PreprocessReport) -> list[tuple[str, float]]:
    """Return the shares of trained, masked and padding positions; rows of a stream have no padding."""
    positions = max(1, report.rows_out * report.width)
    masked = report.tokens - report.trained_tokens
    shares = [("trained", report.trained_tokens), ("masked", masked), ("padding", positions - report.tokens)]
    return [(kind, count / positions) for kind, count in shares if count > 0]
