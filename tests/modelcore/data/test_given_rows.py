"""Rows that exist already are trained on as they are, after a look at every one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore.mindrecord import FileWriter

from modelcore.config.reading import parse
from modelcore.data.encoding.rows import IGNORE
from modelcore.data.given_rows import check_given_rows, given_files, take_rows
from modelcore.data.mindrecord.file import read_mindrecord
from modelcore.data.mindrecord.output import validation_path
from modelcore.data.options import Options
from modelcore.data.report import PreprocessReport
from modelcore.data.tokenizers import load_tokenizer
from modelcore.errors import MindrailError
from tests.byte_vocabulary import write_byte_vocabulary

WIDTH = 9


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tokenizer")
    write_byte_vocabulary(directory)
    return directory


def ids(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(5, 250, (count, WIDTH)).astype(np.int32)


def write(path: Path, **columns: np.ndarray) -> Path:
    """Write rows as MindFormers' scripts do, with MindSpore's own writer."""
    writer = FileWriter(str(path), shard_num=1)
    writer.add_schema({name: {"type": "int32", "shape": [-1]} for name in columns}, "rows")
    count = len(next(iter(columns.values())))
    writer.write_raw_data([{name: rows[at] for name, rows in columns.items()} for at in range(count)])
    writer.commit()
    return path


def masked(rows: np.ndarray) -> np.ndarray:
    return np.where(np.arange(WIDTH) < 3, np.int32(IGNORE), rows)


def take(vocabulary: Path, destination: Path, *names: Path, **options: Any) -> PreprocessReport:
    return take_rows(
        given_files([str(name) for name in names]),
        destination,
        options=parse({"seq_length": WIDTH - 1, **options}, Options),
        tokenizer=load_tokenizer(vocabulary),
        vocab_size=260,
    )


def test_mindformers_rows_of_several_files_become_one_with_a_report(vocabulary: Path, tmp_path: Path) -> None:
    first, second = ids(3), ids(2, seed=1)
    for name, rows in (("a", first), ("b", second)):
        write(
            tmp_path / f"{name}.mindrecord", input_ids=rows, labels=masked(rows), attention_mask=rows * 0 + 1
        )
    report = take(vocabulary, tmp_path / "out/rows.mindrecord", tmp_path)
    taken = [*read_mindrecord(tmp_path / "out/rows.mindrecord")]
    assert set(taken[0]) == {"input_ids", "labels"}
    assert np.array_equal([row["input_ids"] for row in taken], np.concatenate([first, second]))
    assert np.array_equal([row["labels"] for row in taken], masked(np.concatenate([first, second])))
    assert (report.records_in, report.rows_out, report.trained_tokens) == (5, 5, 5 * (WIDTH - 3))
    assert [span.kind for span in report.first_rows[0]] == ["masked", "trained"]


def test_without_labels_the_named_padding_is_left_out_of_the_loss(vocabulary: Path, tmp_path: Path) -> None:
    rows = ids(2)
    rows[1, 6:] = 1
    path = write(tmp_path / "wiki.mindrecord", input_ids=rows)
    plain = take(vocabulary, tmp_path / "plain.mindrecord", path)
    assert "every token is in the loss, padding too" in plain.notes[-1]
    assert plain.trained_tokens == rows.size
    take(vocabulary, tmp_path / "masked.mindrecord", path, pad_id=1)
    labels = [row["labels"] for row in read_mindrecord(tmp_path / "masked.mindrecord")]
    assert np.array_equal(labels, np.where(rows == 1, IGNORE, rows))


def test_rows_are_held_back_by_their_content(vocabulary: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.mindrecord", input_ids=np.concatenate([ids(40), ids(40)]))
    report = take(vocabulary, tmp_path / "out.mindrecord", path, validation=0.3)
    held = {bytes(row["input_ids"]) for row in read_mindrecord(validation_path(tmp_path / "out.mindrecord"))}
    kept = {bytes(row["input_ids"]) for row in read_mindrecord(tmp_path / "out.mindrecord")}
    assert 0 < report.validation_rows < report.rows_out == 80
    assert not held & kept


def test_labels_of_rows_shifted_already_are_refused(vocabulary: Path, tmp_path: Path) -> None:
    rows = ids(2)
    path = write(tmp_path / "rows.mindrecord", input_ids=rows, labels=np.roll(rows, -1, axis=1))
    with pytest.raises(
        MindrailError, match=r"rows\.mindrecord, row 0: labels are shifted by one token already"
    ):
        take(vocabulary, tmp_path / "out.mindrecord", path)
    assert not (tmp_path / "out.mindrecord").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ids(2)[:, :5], "input_ids has 5 tokens, seq_length 8 makes 9; set preprocess.seq_length to 4"),
        (ids(2) + 200, r"row 0: holds token \d+, the model has 260"),
    ],
)
def test_rows_of_another_length_or_vocabulary_are_refused_before_work(
    tmp_path: Path, rows: np.ndarray, message: str
) -> None:
    path = write(tmp_path / "rows.mindrecord", input_ids=rows)
    with pytest.raises(MindrailError, match=message):
        check_given_rows([path], parse({"seq_length": WIDTH - 1}, Options), 260)


def test_files_of_different_columns_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.mindrecord", input_ids=ids(1))
    write(tmp_path / "b.mindrecord", input_ids=ids(1), labels=ids(1))
    with pytest.raises(MindrailError, match="has the columns input_ids, labels, .*has input_ids"):
        check_given_rows(given_files([str(tmp_path)]), parse({"seq_length": WIDTH - 1}, Options), 260)
