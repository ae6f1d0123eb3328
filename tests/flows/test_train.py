"""A run with epochs gets its steps from the rows, before anything depends on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.train import with_rows
from modelcore.config.reading import parse
from modelcore.config.runs import Training
from modelcore.store.store import Store
from tasks.preprocess import preprocess
from tasks.step import Step
from tasks.step_task import finished
from tests.byte_vocabulary import write_byte_vocabulary


def test_epochs_become_steps_of_the_rows_without_those_held_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.json").write_text(
        json.dumps([{"instruction": f"say {number}", "output": "x"} for number in range(40)])
    )
    (tmp_path / "tokenizer").mkdir()
    raw = {
        "download": {"source": "codellama-7b"},
        "preprocess": {"input": str(tmp_path / "rows.json"), "seq_length": 300, "validation": 0.2},
        "train": {"epochs": 3, "batch_size": 4, "warmup_ratio": 0.1},
    }
    config = parse(raw, Training)
    source = Step("download", write_byte_vocabulary(tmp_path / "tokenizer"), "digest", True, 0.0, 0, 0.0)
    rows = finished(preprocess.fn(Store(tmp_path / "store"), source, config.preprocess))
    held_back = json.loads((rows.path / "rows" / "train.report.json").read_text())["validation_rows"]
    assert held_back
    train = with_rows(config, rows).train
    steps = 3 * ((40 - held_back) // 4)
    assert (train.steps, train.warmup_steps) == (steps, int(0.1 * steps))
    assert f"3 epochs of {40 - held_back} rows, 4 rows per step: {steps} steps" in capsys.readouterr().err
