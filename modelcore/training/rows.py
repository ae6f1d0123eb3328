"""The token rows of a MindRecord file, held as two integer arrays, and the micro-batches cut from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelcore.data.mindrecord import read_mindrecord
from modelcore.errors import MindrailError

__all__ = ["TokenRows", "micro_batches", "read_rows"]

Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class TokenRows:
    """Rows of seq_length + 1 tokens.

    Attributes:
        input_ids: int32 [rows, seq_length + 1].
        labels: the same shape: a token where it is learnt, -100 where not.
    """

    input_ids: Int32
    labels: Int32

    def __len__(self) -> int:
        return len(self.input_ids)


def read_rows(path: Path, vocab_size: int) -> TokenRows:
    """Read a MindRecord file of rows; without a labels column every token is learnt.

    Args:
        path: the file; its .db is beside it.
        vocab_size: of the model, which no token may exceed.

    Raises:
        MindrailError: the rows are none, of several lengths, packed, or not of this vocabulary.
    """
    rows = list(read_mindrecord(path))
    if not rows:
        raise MindrailError("has no rows", where=path)
    _check_columns(rows[0], path)
    input_ids = _stack([row["input_ids"] for row in rows], path)
    labels = _stack([row["labels"] for row in rows], path) if "labels" in rows[0] else input_ids
    if input_ids.shape != labels.shape:
        raise MindrailError(f"input_ids are {input_ids.shape}, labels {labels.shape}", where=path)
    _check_vocabulary(input_ids, labels, vocab_size, path)
    return TokenRows(input_ids, labels)


def micro_batches(rows: TokenRows, chosen: NDArray[np.int64], count: int) -> list[tuple[Int32, Int32]]:
    """Return (input_ids, labels) of each of `count` equal parts of the chosen rows.

    Both are int32 [rows / count, seq_length]; labels are shifted: each is what follows its token.
    """
    parts = np.split(chosen, count)
    return [
        (np.ascontiguousarray(rows.input_ids[part, :-1]), np.ascontiguousarray(rows.labels[part, 1:]))
        for part in parts
    ]


def _check_columns(row: Mapping[str, NDArray], path: Path) -> None:
    if "input_ids" not in row:
        raise MindrailError(f"has the columns {sorted(row)}, no input_ids", where=path)
    if "segments" in row:
        raise MindrailError(
            "rows are packed: tokens would attend to the sample before",
            where=path,
            fix="preprocess without packing",
        )


def _stack(values: list[NDArray], path: Path) -> Int32:
    lengths = sorted({value.size for value in values})
    if len(lengths) > 1 or lengths[0] < 2:
        raise MindrailError(f"rows have {lengths[:3]} tokens, all must have the same number", where=path)
    stacked: Int32 = np.stack(values).astype(np.int32, copy=False)
    return stacked


def _check_vocabulary(input_ids: Int32, labels: Int32, vocab_size: int, path: Path) -> None:
    low, high = int(input_ids.min()), int(max(input_ids.max(), labels.max()))
    if low < 0 or high >= vocab_size:
        raise MindrailError(
            f"holds token {low if low < 0 else high}, the model has {vocab_size}",
            where=path,
            fix="use the tokenizer of this model",
        )
