"""Assembles samples into rows of one width: one per row, packed, or cut from one stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from modelcore.data.encoding.encode import Encoded, Int32

__all__ = [
    "IGNORE",
    "Assembler",
    "Packer",
    "Padder",
    "Rows",
    "StreamCutter",
    "loss_tokens",
    "select",
    "truncate",
]

IGNORE = -100  # the label that PyTorch's and MindFormers' losses ignore
OPEN_ROWS = 16  # unfinished rows that a packer tries before it starts another


class Rows(NamedTuple):
    """Rows of one width, all int32 [rows, width].

    Attributes:
        input_ids: the tokens.
        labels: the id of each token in the loss, IGNORE elsewhere; None if all tokens are in the loss.
        segments: 1, 2, … for the samples of a packed row, 0 for padding; None if the rows are not packed.
    """

    input_ids: Int32
    labels: Int32 | None = None
    segments: Int32 | None = None

    def part(self, begin: int, end: int) -> Rows:
        """Return the rows from `begin` to `end` (exclusive)."""
        labels = None if self.labels is None else self.labels[begin:end]
        segments = None if self.segments is None else self.segments[begin:end]
        return Rows(self.input_ids[begin:end], labels, segments)


class Assembler(Protocol):
    """Assembles samples into rows; may keep some until `finish`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its rows, by name."""
        ...

    def add(self, encoded: Encoded) -> Rows:
        """Add samples, none longer than a row, and return the rows that are complete."""
        ...

    def finish(self) -> Rows:
        """Return the remaining samples as rows."""
        ...


def truncate(encoded: Encoded, width: int) -> Encoded:
    """Return the samples, each truncated to `width` tokens."""
    if not (encoded.lengths > width).any():
        return encoded
    starts = np.cumsum(encoded.lengths) - encoded.lengths
    kept = np.arange(len(encoded.ids)) - np.repeat(starts, encoded.lengths) < width
    return Encoded(encoded.ids[kept], encoded.trained[kept], np.minimum(encoded.lengths, width))


def select(encoded: Encoded, mask: npt.NDArray[np.bool_]) -> Encoded:
    """Return the samples for which `mask` is true."""
    if mask.all():
        return encoded
    kept = np.repeat(mask, encoded.lengths)
    return Encoded(encoded.ids[kept], encoded.trained[kept], encoded.lengths[mask])


def loss_tokens(encoded: Encoded) -> npt.NDArray[np.int64]:
    """Return the number of tokens of each sample in the loss: int64 [samples]."""
    before = np.concatenate([[0], np.cumsum(encoded.trained, dtype=np.int64)])
    ends = np.cumsum(encoded.lengths)
    counts: npt.NDArray[np.int64] = before[ends] - before[ends - encoded.lengths]
    return counts


@dataclass
class Padder:
    """One sample per row, padded with `pad_id`."""

    width: int
    pad_id: int

    @property
    def columns(self) -> tuple[str, ...]:
        """See `Assembler.columns`."""
        return ("input_ids", "labels")

    def add(self, encoded: Encoded) -> Rows:
        """See `Assembler.add`."""
        kept = np.arange(self.width) < encoded.lengths[:, None]
        input_ids = np.full(kept.shape, self.pad_id, np.int32)
        input_ids[kept] = encoded.ids
        labels = np.full(kept.shape, IGNORE, np.int32)
        labels[kept] = np.where(encoded.trained, encoded.ids, np.int32(IGNORE))
        return Rows(input_ids, labels)

    def finish(self) -> Rows:
        """See `Assembler.finish`; nothing remains."""
        empty = np.empty((0, self.width), np.int32)
        return Rows(empty, empty)


@dataclass
class _OpenRow:
    ids: list[Int32] = field(default_factory=list)
    labels: list[Int32] = field(default_factory=list)
    used: int = 0


@dataclass
class Packer:
    """Several samples per row: each goes into the first unfinished row with enough room (first fit).

    The first token of a sample is never in the loss: the token before it belongs to another sample.

    Attributes:
        width: tokens per row.
        pad_id: id that fills the rest of a row.
    """

    width: int
    pad_id: int
    _open: list[_OpenRow] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """See `Assembler.columns`."""
        return ("input_ids", "labels", "segments")

    def add(self, encoded: Encoded) -> Rows:
        """See `Assembler.add`."""
        full = []
        begin = 0
        for length in encoded.lengths.tolist():
            ids = encoded.ids[begin : begin + length]
            labels = np.where(encoded.trained[begin : begin + length], ids, np.int32(IGNORE))
            labels[:1] = IGNORE
            begin += length
            row = next((row for row in self._open if row.used + length <= self.width), None)
            if row is None:
                if len(self._open) == OPEN_ROWS:
                    full.append(self._open.pop(max(range(OPEN_ROWS), key=lambda i: self._open[i].used)))
                row = _OpenRow()
                self._open.append(row)
            row.ids.append(ids)
            row.labels.append(labels)
            row.used += length
        return self._rows(full)

    def finish(self) -> Rows:
        """See `Assembler.finish`."""
        remaining, self._open = self._open, []
        return self._rows(remaining)

    def _rows(self, packed: list[_OpenRow]) -> Rows:
        shape = (len(packed), self.width)
        input_ids = np.full(shape, self.pad_id, np.int32)
        labels = np.full(shape, IGNORE, np.int32)
        segments = np.zeros(shape, np.int32)
        for index, row in enumerate(packed):
            input_ids[index, : row.used] = np.concatenate(row.ids)
            labels[index, : row.used] = np.concatenate(row.labels)
            lengths = [len(ids) for ids in row.ids]
            segments[index, : row.used] = np.repeat(np.arange(1, len(lengths) + 1), lengths)
        return Rows(input_ids, labels, segments)


@dataclass
class StreamCutter:
    """Concatenates all samples and cuts the stream into rows; tokens after the last full row are dropped."""

    width: int
    rest: Int32 = field(default_factory=lambda: np.empty(0, np.int32))

    @property
    def columns(self) -> tuple[str, ...]:
        """See `Assembler.columns`."""
        return ("input_ids",)

    def add(self, encoded: Encoded) -> Rows:
        """See `Assembler.add`; samples may be of any length."""
        stream = np.concatenate([self.rest, encoded.ids])
        full = len(stream) // self.width * self.width
        self.rest = stream[full:].copy()
        return Rows(stream[:full].reshape(-1, self.width))

    def finish(self) -> Rows:
        """See `Assembler.finish`; `rest` contains the tokens that fill no row."""
        return Rows(np.empty((0, self.width), np.int32))
