"""The transpose of a matrix, computed while it is read: for the few that the two sides store differently.

Every element is moved, two bytes at a time, so what counts is that each is moved within the core's cache:
blocks are copied row by row out of the file's pages, transposed there, and gathered into rows of the result.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from modelcore.weights.tensors import CHUNK, DerivedTensor, LazyTensor, StoredTensor, mapped, read

__all__ = ["transposed"]

# Rows of the result that are computed at a time, and rows of the matrix of which a part is copied out first
# (measured: half and twice as many of either are slower).
_STRIPE = 256
# Columns of such a copy that are transposed at a time.
_BLOCK = 128
# Elements between the rows of a copy: without them, all rows of a column would be in the same set of the
# core's cache.
_GAP = 32

# Matrices that may be in memory at a time, whatever the number of threads.
_WHOLE = threading.BoundedSemaphore(2)


def transposed(tensor: LazyTensor) -> DerivedTensor:
    """Return the transpose of a matrix.

    The whole matrix is in memory while the result is read: mapped, or a copy if it is in several extents.
    """
    rows, columns = tensor.shape

    def produce() -> Iterator[NDArray]:
        with _WHOLE:
            matrix = _in_memory(tensor)
            stripe = np.empty((_STRIPE, rows), dtype=matrix.dtype)
            for left in range(0, columns, _STRIPE):
                part = stripe[: min(_STRIPE, columns - left)]
                _transpose_into(matrix[:, left : left + _STRIPE], part)
                flat = part.reshape(-1)
                step = CHUNK // flat.itemsize
                yield from (flat[at : at + step] for at in range(0, flat.size, step))

    return DerivedTensor(tensor.dtype, (columns, rows), produce)


def _in_memory(tensor: LazyTensor) -> NDArray:
    if not isinstance(tensor, StoredTensor):
        return read(tensor)
    data = mapped(tensor)
    # Read in the file's order, so that the disk prefetches.
    data[:: mmap.PAGESIZE].max(initial=0)
    return data.view(tensor.dtype.array).reshape(tensor.shape)


def _transpose_into(matrix: NDArray, out: NDArray) -> None:
    """Write the transpose of `matrix` to `out`, block by block."""
    rows, columns = matrix.shape
    copied = np.empty((_STRIPE, columns + _GAP), dtype=matrix.dtype)
    for top in range(0, rows, _STRIPE):
        bottom = min(rows, top + _STRIPE)
        block = copied[: bottom - top, :columns]
        block[:] = matrix[top:bottom]
        for left in range(0, columns, _BLOCK):
            out[left : left + _BLOCK, top:bottom] = block[:, left : left + _BLOCK].T
