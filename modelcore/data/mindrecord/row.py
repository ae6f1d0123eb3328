"""Converts rows of a MindRecord file to bytes and back. Their positions in the file are in `file`.

- a row: u64 length (little-endian); then each column, preceded by its u64 length (big-endian) if there are
  several;
- a column: u32 count (big-endian); 2 bits per value, first value in the highest bits, for its width (1, 2 or
  4 bytes); the values, little-endian, each in the smallest width that fits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modelcore.data.encoding.encode import Int32
from modelcore.errors import MindrailError

__all__ = ["column_bytes", "row_bytes", "unpack_row"]

# For codes 0, 1, 2: a byte 1 for each byte of a value that is kept, lowest byte first.
KEPT = np.array([0x00000001, 0x00000101, 0x01010101], "<u4")


def row_bytes(parts: Sequence[bytes]) -> bytes:
    """Return a row: the total length, then the columns, each with its length if there are several."""
    if len(parts) > 1:
        parts = [piece for part in parts for piece in (len(part).to_bytes(8, "big"), part)]
    return b"".join((sum(map(len, parts)).to_bytes(8, "little"), *parts))


def column_bytes(array: Int32) -> list[bytes]:
    """Return the bytes of a column for each row of an int32 [rows, width] array."""
    values = np.ascontiguousarray(array, dtype="<i4")
    rows, width = values.shape
    # 0, 1, 2 for values that need 1, 2, 4 bytes.
    codes = np.zeros((rows, -(-width // 4) * 4), np.uint8)
    for limit in (1 << 7, 1 << 15):
        codes[:, :width] += (values < -limit) | (values >= limit)
    quads = codes.reshape(rows, -1, 4)
    marks = (quads[..., 0] << 6) | (quads[..., 1] << 4) | (quads[..., 2] << 2) | quads[..., 3]
    # If no value needs four bytes, only two of each are processed.
    size = 4 if codes.max() == 2 else 2
    kept = KEPT.astype(f"<u{size}")[codes[:, :width]].view(np.bool_)
    data = values.astype(f"<i{size}", copy=False).view(np.uint8)[kept].tobytes()
    ends = np.cumsum(np.count_nonzero(kept, axis=1)).tolist()
    count = width.to_bytes(4, "big")
    begins = [0, *ends[:-1]]
    return [count + marks[i].tobytes() + data[b:e] for i, (b, e) in enumerate(zip(begins, ends, strict=True))]


def unpack_row(blob: bytes, names: Sequence[str], where: str) -> dict[str, Int32]:
    """Return a row's columns by name.

    Args:
        blob: the output of `row_bytes`.
        names: of its columns, in order.
        where: the row's name in errors.

    Raises:
        MindrailError: the bytes are not a row.
    """
    if len(blob) < 8 or int.from_bytes(blob[:8], "little") != len(blob) - 8:
        raise MindrailError(
            "the row does not have the length that it states", where=where, fix="the file is damaged"
        )
    row, position = {}, 8
    for name in names:
        size = len(blob) - position
        if len(names) > 1:
            size = int.from_bytes(blob[position : position + 8], "big")
            position += 8
        row[name] = _unpack(blob[position : position + size], where)
        position += size
    return row


def _unpack(column: bytes, where: str) -> Int32:
    count = int.from_bytes(column[:4], "big")
    marks = np.frombuffer(column[4 : 4 + -(-count // 4)], np.uint8)
    codes = ((marks[:, None] >> np.array([6, 4, 2, 0], np.uint8)) & 3).reshape(-1)[:count]
    data = np.frombuffer(column[4 + len(marks) :], np.uint8)
    widths = np.left_shift(1, codes, dtype=np.int64)
    if len(codes) != count or widths.sum() != len(data) or (codes > 2).any():
        raise MindrailError("a column's bytes do not match its count", where=where, fix="the file is damaged")
    kept = np.arange(4) < widths[:, None]
    padded = np.zeros((count, 4), np.uint8)
    padded[kept] = data
    # The sign is the highest bit of the last byte that was kept.
    shift = (32 - 8 * widths).astype(np.int32)
    values: npt.NDArray[np.int32] = padded.view("<i4").reshape(-1)
    return ((values << shift) >> shift).astype(np.int32)
