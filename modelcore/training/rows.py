"""The token rows of a MindRecord file, read when a step wants them, and the micro-batches cut from them.

Memory does not grow with the file but for 12 bytes a row. What a row must be is checked whenever one is
read; at the beginning some rows from all over the file are, so that a wrong tokenizer is noticed at once.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelcore.data.encoding.rows import IGNORE
from modelcore.data.mindrecord.file import MindRecordReader
from modelcore.errors import MindrailError

__all__ = ["TokenRows", "micro_batches", "read_rows"]

Int32 = NDArray[np.int32]

_SAMPLED = 256


class TokenRows:
    """Rows of seq_length + 1 tokens.

    Args:
        path: a MindRecord file with the column input_ids and, where some tokens are not in the loss, labels;
            of packed rows also segments.
        vocab_size: of the model, which no token may exceed.

    Raises:
        MindrailError: the rows are none, of several lengths, not of this vocabulary, or their segments are
            not those of packed samples.
    """

    def __init__(self, path: Path, vocab_size: int) -> None:
        self._reader, self._path, self._vocab_size = MindRecordReader(path), path, vocab_size
        self.columns = self._reader.columns
        if not len(self):
            raise MindrailError("has no rows", where=path)
        if "input_ids" not in self.columns:
            raise MindrailError(f"has the columns {sorted(self.columns)}, no input_ids", where=path)
        self.width = self._reader.read(0)["input_ids"].size
        if self.width < 2:
            raise MindrailError(f"rows have {self.width} tokens, at least 2 are needed", where=path)
        self.take(np.unique(np.linspace(0, len(self) - 1, _SAMPLED).astype(np.int64)))

    def __len__(self) -> int:
        return len(self._reader)

    def take(self, numbers: NDArray[np.int64]) -> dict[str, Int32]:
        """Return rows by number, column name to int32 [numbers, seq_length + 1].

        Raises:
            MindrailError: one of them is not as long as the first row, not of this vocabulary, or its
                segments are not in order.
        """
        taken = {name: np.empty((len(numbers), self.width), np.int32) for name in self.columns}
        for i, number in enumerate(numbers.tolist()):
            for name, values in self._reader.read(number).items():
                if values.size != self.width:
                    raise MindrailError(
                        f"row {number} has {values.size} {name}, the first row {self.width} tokens: "
                        "all must have the same number",
                        where=self._path,
                    )
                taken[name][i] = values
        self._check_vocabulary(taken, numbers)
        if "segments" in taken:
            self._check_segments(taken["segments"], numbers)
        return taken

    def _check_vocabulary(self, taken: dict[str, Int32], numbers: NDArray[np.int64]) -> None:
        for name in ("input_ids", "labels"):
            tokens = taken.get(name, taken["input_ids"])
            known = (tokens >= 0) & (tokens < self._vocab_size)
            wrong = np.argwhere(~(known | (tokens == IGNORE)) if name == "labels" else ~known)
            if wrong.size:
                row, place = wrong[0]
                raise MindrailError(
                    f"row {numbers[row]} holds token {tokens[row, place]} in {name}, "
                    f"the model has {self._vocab_size}",
                    where=self._path,
                    fix="use the tokenizer of this model",
                )

    def _check_segments(self, segments: Int32, numbers: NDArray[np.int64]) -> None:
        before, after = segments[:, :-1], segments[:, 1:]
        good = (after == before) | ((after == before + 1) & (before > 0)) | (after == 0)
        bad = np.flatnonzero(~good.all(axis=1) | (segments[:, 0] != 1))
        if bad.size:
            raise MindrailError(
                f"row {numbers[bad[0]]} has segments that are not 1, 2, … in order with 0 at the end",
                where=self._path,
            )


def read_rows(path: Path, vocab_size: int) -> TokenRows:
    """Open a MindRecord file of rows; without a labels column every token is in the loss.

    Raises:
        MindrailError: as of `TokenRows`.
    """
    return TokenRows(path, vocab_size)


def micro_batches(rows: TokenRows, chosen: NDArray[np.int64], count: int) -> list[tuple[Int32, ...]]:
    """Return (input_ids, labels), of packed rows also segments, of each of `count` equal parts of some rows.

    All are int32 [rows / count, seq_length]; labels are shifted: each is what follows its token, or -100 if
    that is of another sample.
    """
    taken = rows.take(chosen)
    ids, labels = taken["input_ids"][:, :-1], taken.get("labels", taken["input_ids"])[:, 1:]
    columns = [ids, labels]
    if "segments" in taken:
        own, following = taken["segments"][:, :-1], taken["segments"][:, 1:]
        columns = [ids, np.where((following == own) & (own > 0), labels, np.int32(IGNORE)), own]
    parts = zip(*(np.split(column, count) for column in columns), strict=True)
    return [tuple(np.ascontiguousarray(column) for column in part) for part in parts]
