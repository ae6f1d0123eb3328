"""Rows are read when a step wants them, and what is wrong with one is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelcore.data.encoding.rows import Rows
from modelcore.data.mindrecord.file import MindRecordWriter, read_mindrecord
from modelcore.errors import MindrailError
from modelcore.training.rows import micro_batches, read_rows

VOCABULARY = 1000


def write(path: Path, *groups: Rows, columns: tuple[str, ...] = ("input_ids", "labels")) -> Path:
    with MindRecordWriter(path, columns) as writer:
        for rows in groups:
            writer.write(rows)
    return path


def some(count: int, width: int = 9) -> Rows:
    ids = np.random.default_rng(count).integers(0, VOCABULARY, (count, width)).astype(np.int32)
    return Rows(ids, np.where(ids < 100, -100, ids).astype(np.int32))


def test_rows_are_those_of_the_file_in_any_order(tmp_path: Path):
    path = write(tmp_path / "x", some(700))
    everything = list(read_mindrecord(path))
    chosen = np.array([699, 0, 333, 0])
    for name, values in read_rows(path, VOCABULARY).take(chosen).items():
        np.testing.assert_array_equal(values, [everything[i][name] for i in chosen])


def test_micro_batches_are_the_rows_with_each_token_before_its_label(tmp_path: Path):
    rows = some(6)
    path = write(tmp_path / "x", rows)
    parts = micro_batches(read_rows(path, VOCABULARY), np.array([4, 1, 0, 5]), 2)
    assert rows.labels is not None
    for (ids, labels), chosen in zip(parts, ([4, 1], [0, 5]), strict=True):
        np.testing.assert_array_equal(ids, rows.input_ids[chosen, :-1])
        np.testing.assert_array_equal(labels, rows.labels[chosen, 1:])


def test_without_labels_every_token_is_learnt(tmp_path: Path):
    rows = some(3)
    path = write(tmp_path / "x", Rows(rows.input_ids), columns=("input_ids",))
    ((_, labels),) = micro_batches(read_rows(path, VOCABULARY), np.array([2, 0, 1]), 1)
    np.testing.assert_array_equal(labels, rows.input_ids[[2, 0, 1], 1:])


def test_another_tokenizers_rows_are_refused_at_once(tmp_path: Path):
    path = write(tmp_path / "x", some(400))
    with pytest.raises(MindrailError, match=r"row \d+ holds token \d+ in input_ids, the model has 500"):
        read_rows(path, 500)


def test_rows_of_several_lengths_are_refused(tmp_path: Path):
    path = write(tmp_path / "x", some(3), some(2, 7))
    with pytest.raises(MindrailError, match="row 3 has 7 input_ids, the first row 9 tokens"):
        read_rows(path, VOCABULARY)


def test_packed_rows_come_with_their_segments_and_no_label_from_another_sample(tmp_path: Path):
    ids = some(2).input_ids
    segments = np.array([[1, 1, 1, 2, 2, 3, 3, 3, 3], [1, 1, 1, 1, 2, 2, 2, 0, 0]], np.int32)
    path = write(tmp_path / "x", Rows(ids, None, segments), columns=("input_ids", "segments"))
    ((tokens, labels, own),) = micro_batches(read_rows(path, VOCABULARY), np.array([0, 1]), 1)
    np.testing.assert_array_equal(tokens, ids[:, :-1])
    np.testing.assert_array_equal(own, segments[:, :-1])
    learnt = np.array([[1, 1, 0, 1, 0, 1, 1, 1], [1, 1, 1, 0, 1, 1, 0, 0]], bool)
    np.testing.assert_array_equal(labels, np.where(learnt, ids[:, 1:], -100))


@pytest.mark.parametrize("segments", ["112211222", "011122222", "111333333", "111200222", "222222222"])
def test_segments_that_are_not_of_packed_samples_are_refused(tmp_path: Path, segments: str):
    rows, wrong = some(2), np.ones((2, 9), np.int32)
    wrong[1] = [int(number) for number in segments]
    path = write(tmp_path / "x", Rows(rows.input_ids, None, wrong), columns=("input_ids", "segments"))
    with pytest.raises(MindrailError, match="row 1 has segments that are not 1, 2, … in order"):
        read_rows(path, VOCABULARY)
