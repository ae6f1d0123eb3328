"""How much of a benchmark's text is in the data that a checkpoint was trained on.

Follows the checkpoint's manifests back to the rows and reads their report; nothing is compared here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelcore.data.mindrecord.output import report_path
from modelcore.data.report import PreprocessReport
from modelcore.evaluation.benchmarks import benchmark_file
from modelcore.store.lineage import ancestors
from modelcore.store.manifest import Manifest, file_sha256
from modelcore.store.store import Artifact, Store
from tasks.preprocess import rows_file
from tasks.step import Step

__all__ = ["Contamination", "contamination_of"]


@dataclass(frozen=True)
class Contamination:
    """Records of the training data that share text with a benchmark.

    Attributes:
        compared: whether the data was compared with this benchmark's file at all.
        records: records of the training data.
        sharing: those that share text with a benchmark it was compared with.
        problems: problems of these benchmarks that they share text with.
        handling: "report", "drop" or "fail": whether such records were trained on.
    """

    compared: bool
    records: int
    sharing: int
    problems: int
    handling: str

    def __str__(self) -> str:
        """Return it as a sentence."""
        if not self.compared:
            return (
                f"The {self.records:,} training records were not compared with this benchmark "
                "(preprocess.benchmarks): contamination is unknown."
            )
        used = {"drop": " and were left out", "report": " and were trained on"}.get(self.handling, "")
        return (
            f"Of the {self.records:,} training records, {self.sharing} share text with "
            f"{self.problems} benchmark problems{used if self.sharing else ''}."
        )

    @property
    def figure(self) -> str:
        """The same in a few words."""
        return f"{self.sharing} of {self.records:,}" if self.compared else "not compared"


def contamination_of(store: Store, checkpoint: Step, benchmark: str) -> Contamination | None:
    """Return how much of `benchmark` is in a checkpoint's training data; None if its rows are not there."""
    manifest = Manifest.read(checkpoint.path)
    earlier = [] if manifest is None else ancestors(store, manifest)
    rows = next((artifact for artifact in earlier if artifact.manifest.step == "preprocess"), None)
    if rows is not None:
        rows = store.fetch(rows)
    if rows is None or not _report_of(rows).is_file():  # or written elsewhere, by an earlier version
        return None
    return _read(rows, file_sha256(benchmark_file(benchmark)))


def _report_of(rows: Artifact) -> Path:
    return report_path(rows_file(rows.path))


def _read(rows: Artifact, benchmark: str) -> Contamination:
    report = PreprocessReport.read(_report_of(rows))
    parameters = rows.manifest.parameters
    return Contamination(
        compared=benchmark in parameters["benchmarks"],
        records=report.records_in,
        sharing=report.contaminated,
        problems=len(report.contamination),
        handling=parameters["contaminated"],
    )
