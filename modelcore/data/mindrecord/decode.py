"""Rows back to text, with what is learnt told apart from what is masked and what is padding."""

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
        tokens: how many.
        text: what they spell, special tokens written out; "" for padding.
    """

    kind: str
    tokens: int
    text: str


def decode_rows(path: Path, tokenizer: Tokenizer, rows: int | Sequence[int] = 3) -> list[list[Span]]:
    """Decode rows of a MindRecord file.

    Args:
        path: the file.
        tokenizer: the vocabulary its rows were made with.
        rows: how many from the beginning, or which ones (ascending, from 0).

    Raises:
        MindrailError: the file is not a MindRecord.
    """
    from modelcore.data.mindrecord.file import read_mindrecord

    wanted = set(range(rows)) if isinstance(rows, int) else set(rows)
    found = enumerate(islice(read_mindrecord(path), max(wanted, default=-1) + 1))
    return [
        decode_row(row["input_ids"], row.get("labels"), tokenizer)
        for number, row in found
        if number in wanted
    ]


def decode_row(
    input_ids: Int32, labels: Int32 | None, tokenizer: Tokenizer, pad_id: int | None = None
) -> list[Span]:
    """Decode one row.

    Args:
        input_ids: int32 [width].
        labels: int32 [width], IGNORE where masked; None where every token is learnt.
        tokenizer: the vocabulary the row was made with.
        pad_id: what fills the row's end; None takes the vocabulary's pad, else whatever id the row ends with
            in an unbroken masked run.
    """
    if labels is None:
        return [Span("trained", len(input_ids), tokenizer.decode(input_ids.tolist(), skip_special=False))]
    trained = labels != IGNORE
    end = _padding_begins(input_ids, trained, tokenizer.pad_id if pad_id is None else pad_id)
    turns = np.flatnonzero(np.diff(trained[:end].astype(np.int8))) + 1
    bounds = [0, *turns.tolist(), end]
    spans = []
    for begin, stop in pairwise(bounds):
        if stop > begin:
            ids = input_ids[begin:stop].tolist()
            text = tokenizer.decode(ids, skip_special=False, continues=begin > 0)
            spans.append(Span("trained" if trained[begin] else "masked", stop - begin, text))
    if end < len(input_ids):
        spans.append(Span("padding", len(input_ids) - end, ""))
    return spans


def _padding_begins(input_ids: Int32, trained: np.ndarray, pad_id: int | None) -> int:
    filler = int(input_ids[-1]) if pad_id is None else pad_id
    kept = np.flatnonzero((input_ids != filler) | trained)
    end = int(kept[-1]) + 1 if len(kept) else 0
    # A single masked last token that merely repeats nothing is text, not padding.
    return end if pad_id is not None or len(input_ids) - end > 1 else len(input_ids)
