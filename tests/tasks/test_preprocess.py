"""The preprocess task warns of lost data, cached or not, and fails above the limit without losing rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelcore.config.data import Preprocess
from modelcore.config.reading import parse
from modelcore.data.mindrecord.file import read_mindrecord
from modelcore.errors import MindrailError
from modelcore.store.store import Store
from tasks.preprocess import preprocess, rows_file
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


def test_rows_that_exist_are_taken_whatever_their_path(here: Path) -> None:
    made = rows_file(rows_of(here, 1, 2, 3).path)
    for name in ("one", "other"):
        (here / name).mkdir()
        for file in (made, Path(f"{made}.db")):
            shutil.copyfile(file, here / name / file.name)
    taken = [
        rows_of(here, 1, input=[], rows=[str(here / name)], format="wizardcoder") for name in ("one", "other")
    ]
    assert (taken[0].cached, taken[1].cached) == (False, True)
    before, after = read_mindrecord(made), read_mindrecord(rows_file(taken[0].path))
    for row, expected in zip(after, before, strict=True):
        assert all(np.array_equal(row[name], expected[name]) for name in ("input_ids", "labels"))


def test_a_pattern_and_its_files_give_the_same_rows(here: Path) -> None:
    record = [{"instruction": "say", "output": "x"}]
    for name in ("a", "b"):
        (here / f"{name}.part.json").write_text(json.dumps(record))
    one = rows_of(here, 1, input=str(here / "*.part.json"))
    assert rows_of(here, 1, input=[str(here / "a.part.json"), str(here / "b.part.json")]).cached
    assert len([*read_mindrecord(rows_file(one.path))]) == 2


def test_one_source_of_rows_is_given(here: Path) -> None:
    with pytest.raises(MindrailError, match="both input and rows are given"):
        rows_of(here, 1, rows="rows.mindrecord")
    with pytest.raises(MindrailError, match="neither input nor rows is given"):
        rows_of(here, 1, input=[])
    with pytest.raises(MindrailError, match="rows are given, which are as they are: leave out pack"):
        rows_of(here, 1, input=[], rows="rows.mindrecord", pack=True)
