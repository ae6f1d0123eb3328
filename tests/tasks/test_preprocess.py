"""The preprocess task warns of lost data, cached or not, and fails above the limit without losing rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelcore.config.data import Preprocess
from modelcore.config.reading import parse
from modelcore.errors import MindrailError
from modelcore.store.store import Store
from tasks.preprocess import preprocess
from tasks.step import Step
from tasks.step_task import finished
from tests.byte_vocabulary import write_byte_vocabulary


def rows_of(directory: Path, *answer_lengths: int, **choices: Any) -> Step:
    source = directory / "records.json"
    source.write_text(json.dumps([{"instruction": "say", "output": "x" * n} for n in answer_lengths]))
    tokenizer = write_byte_vocabulary(directory / "tokenizer")
    values = {"input": str(source), "seq_length": 300, **choices}
    model = Step("download", tokenizer, "digest", True, 0.0, 0, 0.0)
    return finished(
        preprocess.fn(Store(directory / "store"), model, parse(values, Preprocess, where="preprocess"))
    )


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "tokenizer").mkdir()
    return tmp_path


def test_lost_data_is_warned_of_once_per_run_cached_or_not(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for cached in (False, True):
        assert rows_of(here, 1, 400).cached == cached
        (warning,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
        assert warning.startswith("warning: data lost: 1 of 2 samples truncated to seq_length 300 (")


def test_rows_that_lost_nothing_are_not_warned_of(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows_of(here, 1, 2)
    assert "warning" not in capsys.readouterr().err


def test_too_many_truncated_samples_fail_the_step_and_a_higher_limit_finds_its_rows(here: Path) -> None:
    with pytest.raises(MindrailError, match=r"^preprocess.max_truncated: 50.0% of the samples \(1 of 2\)"):
        rows_of(here, 1, 400, max_truncated=0.4)
    assert rows_of(here, 1, 400, max_truncated=0.5).cached
