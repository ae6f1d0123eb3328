"""The figure beside a score is that of the data which the scored checkpoint was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelcore.data.mindrecord.output import report_path
from modelcore.data.options import Options
from modelcore.data.report import PreprocessReport
from modelcore.store.manifest import file_sha256
from modelcore.store.store import Artifact, Store
from tasks.contamination import contamination_of
from tasks.inputs import input_step
from tasks.preprocess import rows_file


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    path = tmp_path / "benchmark.jsonl"
    path.write_text(json.dumps({"task_id": "T/0"}) + "\n")
    return path


def rows(store: Store, benchmarks: list[str], **found: Any) -> Artifact:
    def build(directory: Path) -> None:
        rows_file(directory).parent.mkdir()
        report = PreprocessReport.empty(Options(format="wizardcoder", seq_length=64))
        for name, value in found.items():
            setattr(report, name, value)
        report_path(rows_file(directory)).write_text(report.to_json())

    asked = {"benchmarks": benchmarks, "contaminated": "report"}
    return store.build("preprocess", build, version=1, inputs={}, parameters=asked).artifact


def trained_on(store: Store, data: Artifact) -> Artifact:
    def build(directory: Path) -> None:
        (directory / "weights").write_text("w")

    launched = store.build("launch", build, version=1, inputs={"rows": data.digest}, parameters={}).artifact
    return store.build("merge", build, version=1, inputs={"shards": launched.digest}, parameters={}).artifact


def test_records_that_share_text_with_the_benchmark_are_counted(tmp_path: Path, benchmark: Path) -> None:
    store = Store(tmp_path / "store")
    found = {"records_in": 1000, "contaminated": 3, "contamination": {"T/0": [1, 2], "T/1": [7]}}
    merged = trained_on(store, rows(store, [file_sha256(benchmark)], **found))
    known = contamination_of(store, input_step(store, str(merged.path), key="x"), str(benchmark))
    assert known is not None
    assert (known.compared, known.figure) == (True, "3 of 1,000")
    assert str(known) == (
        "Of the 1,000 training records, 3 share text with 2 benchmark problems and were trained on."
    )


def test_data_that_was_never_compared_with_the_benchmark_is_not_called_clean(
    tmp_path: Path, benchmark: Path
) -> None:
    store = Store(tmp_path / "store")
    merged = trained_on(store, rows(store, ["another file"], records_in=10))
    known = contamination_of(store, input_step(store, str(merged.path), key="x"), str(benchmark))
    assert known is not None
    assert known.figure == "not compared"
    assert "contamination is unknown" in str(known)


def test_nothing_is_claimed_of_a_checkpoint_whose_data_is_unknown(tmp_path: Path, benchmark: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "config.json").write_text("{}")
    store = Store(tmp_path / "store")
    assert (
        contamination_of(store, input_step(store, str(tmp_path / "checkpoint"), key="x"), str(benchmark))
        is None
    )
