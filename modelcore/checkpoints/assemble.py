"""Assembles one box of a tensor from the boxes in several files: the core of shard, merge and reshard.

A box is plain data, so nothing here knows layouts, strategies or models. Nothing is read until the result's
chunks are, and then a few MiB at a time. Finding the files and writing the result are left to the caller.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from modelcore.errors import MindrailError
from modelcore.parallel.box import Box, box_shape
from modelcore.weights.tensors import CHUNK, DerivedTensor, LazyTensor, StoredTensor, mapped

__all__ = ["Piece", "assemble"]

# Bytes of source files that are mapped at a time for one tensor; they count as memory of the process.
WINDOW = 16 << 20


@dataclass(frozen=True)
class Piece:
    """A stored tensor, and which box of the whole tensor it is."""

    box: Box
    tensor: StoredTensor


def assemble(name: str, box: Box, pieces: Sequence[Piece]) -> LazyTensor:
    """Return the box `box` of the whole tensor `name`, taken from the pieces that overlap it.

    Pieces of the same box are copies of each other; the first is read.

    Args:
        name: the parameter, for errors.
        box: the part to return, in coordinates of the whole tensor.
        pieces: from the files; they must have one dtype, and cover the box without overlapping.

    Returns:
        A stored tensor if its rows can be read as they are, otherwise one that is assembled while it is read.

    Raises:
        MindrailError: a piece has the wrong shape or dtype, or the box is not covered.
    """
    parts = [
        piece for piece in _distinct(name, pieces) if _volume(_overlap(piece.box, box)) or piece.box == box
    ]
    if not parts or sum(_volume(_overlap(piece.box, box)) for piece in parts) != _volume(box):
        held = ", ".join(_format(piece.box) for piece in parts) or "nothing"
        raise MindrailError(
            f"the files hold {held} of {_format(box)}", where=name, fix="a rank's shards are missing"
        )
    if len(parts) == 1 and parts[0].box == box:
        return parts[0].tensor
    if all(piece.box[1:] == box[1:] for piece in parts):
        return _stacked(box, parts)
    return DerivedTensor(parts[0].tensor.dtype, box_shape(box), lambda: _interleaved(box, parts))


def _distinct(name: str, pieces: Sequence[Piece]) -> list[Piece]:
    for piece in pieces:
        place = f"{piece.tensor.extents[0].path}: {name}" if piece.tensor.extents else name
        if piece.tensor.shape != box_shape(piece.box):
            raise MindrailError(
                f"has the shape {list(piece.tensor.shape)}, its strategy says {list(box_shape(piece.box))}",
                where=place,
            )
        if piece.tensor.dtype != pieces[0].tensor.dtype:
            raise MindrailError(
                f"is {piece.tensor.dtype}, other slices are {pieces[0].tensor.dtype}", where=place
            )
    first: dict[Box, Piece] = {}
    for piece in pieces:
        first.setdefault(piece.box, piece)
    return list(first.values())


def _stacked(box: Box, parts: Sequence[Piece]) -> StoredTensor:
    """Return the parts' rows concatenated; nothing has to be rearranged."""
    cuts = []
    for piece in sorted(parts, key=lambda piece: piece.box[0]):
        (first, last), origin = _overlap(piece.box, box)[0], piece.box[0][0]
        cuts.append(piece.tensor.rows(first - origin, last - origin))
    return replace(
        cuts[0], shape=box_shape(box), extents=tuple(extent for cut in cuts for extent in cut.extents)
    )


def _interleaved(box: Box, parts: Sequence[Piece]) -> Iterator[NDArray]:
    """Yield the box's rows, assembled from parts that are divided along other axes than the first.

    Rows of the files are mapped, not read: if only an eighth of a row is needed, only that is loaded.
    """
    dtype, (first, last) = parts[0].tensor.dtype, box[0]
    mapped = sum(math.prod(piece.tensor.shape[1:]) * dtype.size for piece in parts)
    window = max(1, WINDOW // mapped)
    target = _in_bytes(box, dtype.size)
    step = max(1, CHUNK // _volume(target[1:]))
    rows = np.empty((min(step, window, last - first), *box_shape(target[1:])), dtype=np.uint8)
    for top in range(first, last, window):
        bottom = min(top + window, last)
        views = [_mapped(piece, top, bottom) for piece in parts]
        for start in range(top, bottom, step):
            block = ((start, min(start + step, bottom)), *target[1:])
            part = rows[: block[0][1] - start]
            for within, view in views:
                shared = _overlap(within, block)
                if _volume(shared):
                    part[_slices(shared, block)] = view[_slices(shared, within)]
            yield part.reshape(-1).view(dtype.array)


def _mapped(piece: Piece, first: int, last: int) -> tuple[Box, NDArray]:
    """Return the bytes of those rows from `first` to `last` that the piece holds, and their box in bytes."""
    (origin, end), *rest = piece.box
    start = min(max(origin, first), end)
    stop = max(start, min(end, last))
    rows = piece.tensor.rows(start - origin, stop - origin)
    box = _in_bytes(((start, stop), *rest), piece.tensor.dtype.size)
    return box, mapped(rows).reshape(box_shape(box))


def _in_bytes(box: Box, size: int) -> Box:
    """Return a box of elements as a box of bytes: its last axis `size` times as long."""
    start, stop = box[-1]
    return (*box[:-1], (start * size, stop * size))


def _overlap(one: Box, other: Box) -> Box:
    return tuple((max(a, c), min(b, d)) for (a, b), (c, d) in zip(one, other, strict=True))


def _slices(box: Box, within: Box) -> tuple[slice, ...]:
    return tuple(slice(a - origin, b - origin) for (a, b), (origin, _) in zip(box, within, strict=True))


def _volume(box: Box) -> int:
    return math.prod(max(0, size) for size in box_shape(box))


def _format(box: Box) -> str:
    return "[" + ", ".join(f"{start}:{stop}" for start, stop in box) + "]"
