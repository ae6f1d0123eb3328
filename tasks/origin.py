"""Which model a checkpoint is and what it was trained on, in words, as far as manifests say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelcore.data.mindrecord.output import report_path
from modelcore.data.report import PreprocessReport
from modelcore.models.shipped import shipped_models
from modelcore.store.store import Artifact, Store
from tasks.ancestry import line_of, rows_of, source_of
from tasks.preprocess import rows_file
from tasks.step import Step

__all__ = ["Origin", "origin_of"]


@dataclass(frozen=True)
class Origin:
    """Where a checkpoint comes from.

    Attributes:
        model: the model that was downloaded, by its name and address, or the directory it was converted from;
            "" for a directory that is no artifact.
        data: the training data's file, records, rows and row format; "" if it was not trained here.
    """

    model: str
    data: str


def origin_of(store: Store, checkpoint: Step) -> Origin:
    """Return where a checkpoint comes from, as far as the manifests in the store say."""
    line = line_of(store, checkpoint.path)
    return Origin(_named(source_of(line)), _data(store, line))


def _named(source: str) -> str:
    """Return a shipped model's name with its address, for either of them; another source as it is."""
    for name, model in shipped_models().items():
        if source in (name, model.source):
            return f"{name} ({model.source})"
    return source


def _data(store: Store, line: Sequence[Artifact]) -> str:
    rows = rows_of(line)
    if rows is None:
        return ""
    files = str(rows.manifest.recorded.get("input", "data"))
    name = ", ".join(Path(file).name for file in files.split(", "))
    path = report_path(rows_file(store.fetch(rows).path))
    if not path.is_file():  # of an earlier version
        return name
    report = PreprocessReport.read(path)
    return f"{name} ({report.records_in:,} records, {report.rows_out:,} rows, format {report.format})"
