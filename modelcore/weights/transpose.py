"""The transpose of a matrix, computed while it is read: for the few that the two sides store differently.

Every element is moved, two bytes at a time, so what counts is that each is moved within the core's cache:
blocks are copied row by row out of the file's pages, transposed there, and gathered into rows of the result.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from modelcore.weights.tensors import CHUNK, DerivedTensor, LazyTensor, StoredTensor, mapped, read

__all__ = ["transposed"]

# Rows of the result that are computed at a time, and rows of the matrix of which a part is copied out first
# (measured: half as many of the latter are slower).
_STRIPE = 512
_ROWS = 256
# Columns of such a copy that are transposed at a time.
_BLOCK = 128
# Elements between the rows of a copy: without them, all rows of a column would be in the same set of the
# core's cache.
_GAP = 32

# Bytes of a mapped matrix after which its pages are let go; they stay in the system's cache of the file.
_HELD = 48 << 20

# Matrices that may be in memory at a time, whatever the number of threads.
_WHOLE = threading.BoundedSemaphore(2)


def transposed(tensor: LazyTensor) -> DerivedTensor:
    """Return the transpose of a matrix.

    While the result is read, a stripe of it is in memory, and some rows of the matrix, mapped; all of the
    matrix if it is in several extents.
    """
    rows, columns = tensor.shape

    def produce() -> Iterator[NDArray]:
        with _WHOLE:
            matrix, let_go = _in_memory(tensor)
            stripe = np.empty((min(_STRIPE, columns), rows), dtype=matrix.dtype)
            for left in range(0, columns, _STRIPE):
                part = stripe[: min(_STRIPE, columns - left)]
                _transpose_into(matrix[:, left : left + _STRIPE], part, let_go)
                flat = part.reshape(-1)
                step = CHUNK // flat.itemsize
                yield from (flat[at : at + step] for at in range(0, flat.size, step))

    return DerivedTensor(tensor.dtype, (columns, rows), produce)


def _in_memory(tensor: LazyTensor) -> tuple[NDArray, Callable[[], None]]:
    """Return a matrix, and a function that lets go of its pages: they are mapped again when they are read."""
    if not isinstance(tensor, StoredTensor):
        return read(tensor), _keep
    data = mapped(tensor)
    mapping = getattr(data.base, "obj", None)
    let_go = partial(mapping.madvise, mmap.MADV_DONTNEED) if isinstance(mapping, mmap.mmap) else _keep
    # Read in the file's order, so that the disk prefetches.
    for start in range(0, data.size, _HELD):
        data[start : start + _HELD : mmap.PAGESIZE].max(initial=0)
        let_go()
    return data.view(tensor.dtype.array).reshape(tensor.shape), let_go


def _keep() -> None:
    """Let go of nothing: the matrix is a copy."""


def _transpose_into(matrix: NDArray, out: NDArray, let_go: Callable[[], None]) -> None:
    """Write the transpose of `matrix`, some columns of the mapped one, to `out`, block by block."""
    rows, columns = matrix.shape
    copied = np.empty((_ROWS, columns + _GAP), dtype=matrix.dtype)
    held = 0
    for top in range(0, rows, _ROWS):
        bottom = min(rows, top + _ROWS)
        block = copied[: bottom - top, :columns]
        block[:] = matrix[top:bottom]
        for left in range(0, columns, _BLOCK):
            out[left : left + _BLOCK, top:bottom] = block[:, left : left + _BLOCK].T
        held += (bottom - top) * matrix.strides[0]
        if held >= _HELD:
            let_go()
            held = 0
