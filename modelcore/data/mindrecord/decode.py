"""Decodes rows into text, divided into trained, masked and padding parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from modelcore.data.encoding.encode import Int32
from modelcore.data.encoding.rows import IGNORE
from modelcore.data.tokenizers import Tokenizer

__all__ = ["Span", "decode_row", "decode_rows"]


class Span(NamedTuple):
    """A run of tokens of one kind.

    Attributes:
        kind: "trained", "masked" or "padding".
        tokens: their number.
        text: their text, with special tokens written out; "" for padding.
    """

    kind: str
    tokens: int
    text: str


def decode_rows(path: Path, tokenizer: Tokenizer, rows: int | Sequence[int] = 3) -> list[list[Span]]:
    """Decode rows of a MindRecord file.

    Args:
        path: the file.
        tokenizer: the tokenizer that the rows were encoded with.
        rows: the number of rows from the start, or row numbers (ascending, from 0).

    Raises:
        MindrailError: the file is not a MindRecord.
    """
    from modelcore.data.mindrecord.file import read_mindrecord

    wanted = set(range(rows)) if isinstance(rows, int) else set(rows)
    numbered = enumerate(islice(read_mindrecord(path), max(wanted, default=-1) + 1))
    return [
        decode_row(row["input_ids"], row.get("labels"), tokenizer)
        for number, row in numbered
        if number in wanted
    ]


def decode_row(
    input_ids: Int32, labels: Int32 | None, tokenizer: Tokenizer, pad_id: int | None = None
) -> list[Span]:
    """Decode one row.

    Args:
        input_ids: int32 [width].
        labels: int32 [width], IGNORE where masked; None if every token is trained on.
        tokenizer: the tokenizer that the row was encoded with.
        pad_id: id of the padding; if None, the tokenizer's if the row ends with it, or else the id of the
            masked run that ends the row.
    """
    if labels is None:
        return [Span("trained", len(input_ids), tokenizer.decode(input_ids.tolist(), skip_special=False))]
    trained = labels != IGNORE
    if pad_id is None and tokenizer.pad_id == input_ids[-1]:
        pad_id = tokenizer.pad_id
    end = _padding_start(input_ids, trained, pad_id)
    changes = np.flatnonzero(np.diff(trained[:end].astype(np.int8))) + 1
    bounds = [0, *changes.tolist(), end]
    spans = []
    for begin, stop in pairwise(bounds):
        if stop > begin:
            ids = input_ids[begin:stop].tolist()
            text = tokenizer.decode(ids, skip_special=False, continues=begin > 0)
            spans.append(Span("trained" if trained[begin] else "masked", stop - begin, text))
    if end < len(input_ids):
        spans.append(Span("padding", len(input_ids) - end, ""))
    return spans


def _padding_start(input_ids: Int32, trained: np.ndarray, pad_id: int | None) -> int:
    filler = int(input_ids[-1]) if pad_id is None else pad_id
    kept = np.flatnonzero((input_ids != filler) | trained)
    end = int(kept[-1]) + 1 if len(kept) else 0
    # A single masked token at the end is text, not padding.
    return end if pad_id is not None or len(input_ids) - end > 1 else len(input_ids)
