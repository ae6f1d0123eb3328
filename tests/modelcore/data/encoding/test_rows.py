"""Samples to rows, on numbers small enough to be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from modelcore.data.encoding import rows as module
from modelcore.data.encoding.encode import Encoded
from modelcore.data.encoding.rows import (
    IGNORE,
    Packer,
    Padder,
    Rows,
    StreamCutter,
    loss_tokens,
    select,
    truncate,
)

PAD = 9
X = IGNORE


def encoded(*samples: str) -> Encoded:
    """Samples as text: a token is a digit, one in the loss has a `+` before it."""
    ids = [int(c) for sample in samples for c in sample.replace("+", "")]
    trained = [sample[at - 1] == "+" for sample in samples for at in range(len(sample)) if sample[at] != "+"]
    lengths = [len(sample.replace("+", "")) for sample in samples]
    return Encoded(np.array(ids, np.int32), np.array(trained, np.bool_), np.array(lengths, np.int64))


def shown(samples: Encoded) -> list[str]:
    """The inverse of `encoded`."""
    marked = [f"{'+' * bool(t)}{i}" for i, t in zip(samples.ids, samples.trained, strict=True)]
    ends = np.cumsum(samples.lengths).tolist()
    return ["".join(marked[end - length : end]) for end, length in zip(ends, samples.lengths, strict=True)]


def values(rows: Rows) -> list[list[list[int]] | None]:
    return [None if column is None else column.tolist() for column in rows]


def test_ignore_is_the_label_that_losses_ignore() -> None:
    assert IGNORE == -100


def test_a_sample_is_truncated_to_the_width_and_shorter_ones_stay() -> None:
    assert shown(truncate(encoded("12+3+4", "", "+5", "678"), 3)) == ["12+3", "", "+5", "678"]
    assert shown(truncate(encoded("123", "4"), 3)) == ["123", "4"]


def test_samples_that_all_fit_are_not_copied() -> None:
    whole = encoded("123", "+4")
    assert truncate(whole, 3) is whole
    assert select(whole, np.array([True, True])) is whole


def test_chosen_samples_keep_their_order_and_tokens() -> None:
    mask = np.array([True, False, True, True])
    assert shown(select(encoded("1+2", "34+5", "", "+6"), mask)) == ["1+2", "", "+6"]


def test_tokens_in_the_loss_are_counted_by_sample() -> None:
    assert loss_tokens(encoded("1+2+3", "", "45", "+6")).tolist() == [2, 0, 0, 1]
    assert loss_tokens(encoded()).tolist() == []


def test_padding_fills_a_row_of_each_sample() -> None:
    rows = Padder(4, PAD).add(encoded("1+2", "+3456", ""))
    assert values(rows) == [
        [[1, 2, PAD, PAD], [3, 4, 5, 6], [PAD] * 4],
        [[X, 2, X, X], [3, X, X, X], [X] * 4],
        None,
    ]
    assert {column.dtype for column in rows if column is not None} == {np.dtype(np.int32)}
    assert values(Padder(4, PAD).finish()) == [[], [], None]
    assert Padder(4, PAD).columns == ("input_ids", "labels")


def test_packing_puts_a_sample_into_the_first_row_with_room() -> None:
    packer = Packer(5, PAD)
    assert values(packer.add(encoded("+1+2+3", "+4+4+4+4", "+5+6", "7"))) == [[], [], []]
    assert values(packer.finish()) == [
        [[1, 2, 3, 5, 6], [4, 4, 4, 4, 7]],
        [[X, 2, 3, X, 6], [X, 4, 4, 4, X]],  # the first token of a sample follows another sample
        [[1, 1, 1, 2, 2], [1, 1, 1, 1, 2]],
    ]
    assert values(packer.finish()) == [[], [], []]
    assert packer.columns == ("input_ids", "labels", "segments")


def test_packing_fills_up_what_is_left_of_a_row() -> None:
    packer = Packer(4, PAD)
    packer.add(encoded("1+2", "3"))
    assert values(packer.finish()) == [[[1, 2, 3, PAD]], [[X, 2, X, X]], [[1, 1, 2, 0]]]


def test_the_fullest_of_too_many_open_rows_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_ROWS", 3)
    packer = Packer(4, PAD)
    assert len(packer.add(encoded("11", "222", "333")).input_ids) == 0
    assert packer.add(encoded("444")).input_ids.tolist() == [[2, 2, 2, PAD]]
    # The row of the two ones is still open and takes a sample of two.
    assert packer.add(encoded("55")).input_ids.tolist() == []
    assert packer.finish().input_ids.tolist() == [[1, 1, 5, 5], [3, 3, 3, PAD], [4, 4, 4, PAD]]


def test_sixteen_rows_are_open_at_most() -> None:
    packer = Packer(2, PAD)
    assert len(packer.add(encoded(*["12"] * 16)).input_ids) == 0
    assert len(packer.add(encoded("12")).input_ids) == 1


def test_a_stream_is_cut_wherever_a_row_is_full() -> None:
    cutter = StreamCutter(3)
    assert values(cutter.add(encoded("12", "34567"))) == [[[1, 2, 3], [4, 5, 6]], None, None]
    assert values(cutter.add(encoded("8"))) == [[], None, None]
    assert values(cutter.add(encoded("9", "1"))) == [[[7, 8, 9]], None, None]
    assert values(cutter.finish()) == [[], None, None] and cutter.finish().input_ids.shape == (0, 3)
    assert cutter.rest.tolist() == [1] and cutter.columns == ("input_ids",)


def test_the_rest_of_a_stream_holds_no_larger_array() -> None:
    cutter = StreamCutter(3)
    cutter.add(encoded("1234"))
    assert cutter.rest.base is None


def test_a_part_of_rows_has_all_their_columns() -> None:
    column = np.arange(8, dtype=np.int32).reshape(4, 2)
    assert values(Rows(column, column + 1, column + 2).part(1, 3)) == [
        [[2, 3], [4, 5]],
        [[3, 4], [5, 6]],
        [[4, 5], [6, 7]],
    ]
    assert values(Rows(column).part(0, 1)) == [[[0, 1]], None, None]
