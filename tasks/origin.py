"""Which model a checkpoint is and what it was trained on, in words, as far as manifests say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelcore.data.mindrecord.output import report_path
from modelcore.data.report import PreprocessReport
from modelcore.models.shipped import shipped_models
from modelcore.store.lineage import ancestors
from modelcore.store.manifest import Manifest
from modelcore.store.store import Artifact, Store
from tasks.preprocess import rows_file
from tasks.step import Step

__all__ = ["Origin", "origin_of", "row_format_of"]


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
    manifest = Manifest.read(checkpoint.path)
    if manifest is None:
        return Origin("", "")
    line = [Artifact(checkpoint.path, manifest), *ancestors(store, manifest)]
    return Origin(_model(line), _data(line))


def row_format_of(store: Store, checkpoint: Step) -> str | None:
    """Return the format of the rows that a checkpoint was trained on; None if it was not trained here."""
    manifest = Manifest.read(checkpoint.path)
    rows = None if manifest is None else _rows(ancestors(store, manifest))
    return None if rows is None else rows.manifest.parameters.get("format")


def _rows(line: Sequence[Artifact]) -> Artifact | None:
    return next((artifact for artifact in line if artifact.manifest.step == "preprocess"), None)


def _model(line: Sequence[Artifact]) -> str:
    """Return the source of the nearest download, else of the nearest conversion of an outside directory."""
    for step in ("download", "convert"):
        for artifact in line:
            if artifact.manifest.step == step:
                parameters = artifact.manifest.parameters
                return _named(str(artifact.manifest.recorded.get("source", parameters.get("source", ""))))
    return ""


def _named(source: str) -> str:
    """Return a shipped model's name with its address, for either of them; another source as it is."""
    for name, model in shipped_models().items():
        if source in (name, model.source):
            return f"{name} ({model.source})"
    return source


def _data(line: Sequence[Artifact]) -> str:
    rows = _rows(line)
    if rows is None:
        return ""
    name = Path(str(rows.manifest.recorded.get("input", "data"))).name
    path = report_path(rows_file(rows.path))
    if not path.is_file():  # of an earlier version
        return name
    report = PreprocessReport.read(path)
    return f"{name} ({report.records_in:,} records, {report.rows_out:,} rows, format {report.format})"
