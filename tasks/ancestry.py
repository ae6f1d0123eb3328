"""What the manifests behind a checkpoint say of its source and of its training data. No Prefect here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelcore.store.lineage import ancestors
from modelcore.store.manifest import Manifest
from modelcore.store.store import Artifact, Store

__all__ = ["line_of", "row_format_of", "rows_of", "source_of"]


def line_of(store: Store, checkpoint: Path) -> list[Artifact]:
    """Return a checkpoint's artifact and those it was built from, nearest first; nothing for a directory."""
    manifest = Manifest.read(checkpoint)
    return [] if manifest is None else [Artifact(checkpoint, manifest), *ancestors(store, manifest)]


def source_of(line: Sequence[Artifact]) -> str:
    """Return the source of the nearest download, else of the nearest conversion of an outside directory.

    That of a model on an endpoint is its name there.
    """
    for step in ("download", "convert", "endpoint"):
        for artifact in line:
            if artifact.manifest.step == step:
                parameters = artifact.manifest.parameters
                return str(artifact.manifest.recorded.get("source", parameters.get("source", "")))
    return ""


def rows_of(line: Sequence[Artifact]) -> Artifact | None:
    """Return the rows that were trained on, None if there was no training."""
    return next((artifact for artifact in line if artifact.manifest.step == "preprocess"), None)


def row_format_of(line: Sequence[Artifact]) -> str | None:
    """Return the format of the rows that were trained on, None if there was no training."""
    rows = rows_of(line)
    return None if rows is None else rows.manifest.parameters.get("format")
