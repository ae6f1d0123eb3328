"""Read the report of preprocessed data. Nothing of it is in the store."""

from __future__ import annotations

from pathlib import Path

from modelcore.data.mindrecord.output import report_path
from modelcore.data.report import PreprocessReport
from tasks.dashboard import show_table
from tasks.preprocess import rows_file
from tasks.step_task import step_task

__all__ = ["data_report"]


@step_task("data-report")
def data_report(rows: Path) -> PreprocessReport:
    """Read what happened to the records, and show it on the dashboard.

    Args:
        rows: an artifact of `preprocess`, or its MindRecord file.
    """
    report = PreprocessReport.read(report_path(rows_file(rows)))
    counts = [{"what": key.replace("_", " "), "count": count} for key, count in report.counts.items()]
    show_table("data-report", counts, f"What happened to the records ({report.format} rows)")
    return report
