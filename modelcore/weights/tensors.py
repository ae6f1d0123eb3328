"""Lazy tensors: on disk, or computed while they are read.

A lazy tensor has a dtype and a shape and yields its elements in row-major order as a sequence of flat
arrays ("chunks"), each valid only until the next is yielded. So a tensor of any size goes from one file to
another through a few MiB of memory. Only `transpose` needs a whole tensor in memory.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from modelcore.errors import MindrailError
from modelcore.weights.dtypes import DType, of_array

__all__ = [
    "CHUNK",
    "DerivedTensor",
    "Extent",
    "LazyTensor",
    "StoredTensor",
    "as_stored",
    "from_array",
    "joined",
    "mapped",
    "nbytes",
    "read",
    "sha256",
]

# Large enough that Python's overhead vanishes, small enough to stay in a core's cache together with what
# the kernel copies (measured: 1 MiB is a third slower).
CHUNK = 1 << 18


class LazyTensor(Protocol):
    """What every tensor here has."""

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        ...

    def chunks(self) -> Iterator[NDArray]:
        """Yield the elements in row-major order as flat arrays of `dtype.array`."""
        ...


@dataclass(frozen=True)
class Extent:
    """A run of bytes in a file."""

    path: Path
    offset: int
    length: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor whose bytes are row-major in one or several extents, in this order.

    Attributes:
        name: in its file, for errors.
        dtype: of the elements.
        shape: lengths of the axes.
        extents: where the bytes are.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    extents: tuple[Extent, ...]

    def chunks(self) -> Iterator[NDArray]:
        """Yield the tensor's elements, at most `CHUNK` bytes at a time, from one reused buffer.

        Raises:
            MindrailError: a file ends before the tensor does.
        """
        buffer = np.empty(min(CHUNK, nbytes(self)), dtype=np.uint8)
        for extent in self.extents:
            with extent.path.open("rb", buffering=0) as file:
                file.seek(extent.offset)
                for start in range(0, extent.length, CHUNK):
                    piece = buffer[: min(CHUNK, extent.length - start)]
                    self._fill(file.readinto, piece.data, extent.path)
                    yield piece.view(self.dtype.array)

    def rows(self, start: int, stop: int) -> StoredTensor:
        """Return rows [start, stop) of axis 0; nothing is read."""
        row = nbytes(self) // self.shape[0]
        return replace(
            self,
            shape=(stop - start, *self.shape[1:]),
            extents=tuple(_cut(self.extents, start * row, stop * row)),
        )

    def _fill(self, readinto: Callable[[memoryview], int | None], view: memoryview, path: Path) -> None:
        filled = 0
        while filled < len(view):
            count = readinto(view[filled:])
            if not count:
                raise _ends_inside(self, path)
            filled += count


@dataclass(frozen=True)
class DerivedTensor:
    """A tensor computed while it is read; each call of `produce` yields all its chunks."""

    dtype: DType
    shape: tuple[int, ...]
    produce: Callable[[], Iterator[NDArray]]

    def chunks(self) -> Iterator[NDArray]:
        """Yield the elements in row-major order as flat arrays."""
        return self.produce()


def as_stored(tensor: LazyTensor) -> StoredTensor:
    """Return the tensor, which must be a stored one.

    Raises:
        TypeError: its bytes are in no file.
    """
    if not isinstance(tensor, StoredTensor):
        raise TypeError(f"{type(tensor).__name__} is not on disk")
    return tensor


def nbytes(tensor: LazyTensor) -> int:
    """Return the bytes of the tensor's elements."""
    return math.prod(tensor.shape) * tensor.dtype.size


def read(tensor: LazyTensor) -> NDArray:
    """Read the whole tensor into a new array of its shape (bfloat16: uint16)."""
    flat = np.empty(math.prod(tensor.shape), dtype=tensor.dtype.array)
    at = 0
    for chunk in tensor.chunks():
        flat[at : at + chunk.size] = chunk
        at += chunk.size
    return flat.reshape(tensor.shape)


def mapped(tensor: StoredTensor) -> NDArray:
    """Return the tensor's bytes, memory-mapped if they are one extent (the view keeps the mapping alive).

    Raises:
        MindrailError: the file ends before the tensor does.
    """
    if len(tensor.extents) != 1:
        return read(tensor).reshape(-1).view(np.uint8)
    (extent,) = tensor.extents
    before = extent.offset % mmap.ALLOCATIONGRANULARITY
    with extent.path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < extent.offset + extent.length:
            raise _ends_inside(tensor, extent.path)
        mapping = mmap.mmap(
            file.fileno(), before + extent.length, access=mmap.ACCESS_READ, offset=extent.offset - before
        )
    return np.frombuffer(mapping, np.uint8, extent.length, before)


def sha256(tensor: LazyTensor) -> str:
    """Return the sha256 of the tensor's elements in row-major order, in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in tensor.chunks():
        digest.update(chunk.data)
    return digest.hexdigest()


def from_array(array: NDArray, dtype: DType | None = None) -> DerivedTensor:
    """Return an array as a lazy tensor; `dtype` must be given for bfloat16 held in uint16."""
    contiguous = np.ascontiguousarray(array)
    kind = dtype or of_array(contiguous)
    step = CHUNK // kind.size

    def produce() -> Iterator[NDArray]:
        flat = contiguous.reshape(-1).view(kind.array)
        return (flat[at : at + step] for at in range(0, flat.size, step))

    return DerivedTensor(kind, tuple(array.shape), produce)


def joined(parts: Sequence[StoredTensor]) -> StoredTensor:
    """Return the parts concatenated on axis 0; nothing is read."""
    rows = sum(part.shape[0] for part in parts)
    extents = tuple(extent for part in parts for extent in part.extents)
    return replace(parts[0], shape=(rows, *parts[0].shape[1:]), extents=extents)


def _ends_inside(tensor: StoredTensor, path: Path) -> MindrailError:
    return MindrailError(f"the file ends inside tensor {tensor.name}", where=path, fix="get it again")


def _cut(extents: Sequence[Extent], start: int, stop: int) -> Iterator[Extent]:
    """Yield the extents of bytes [start, stop) of the concatenated extents."""
    at = 0
    for extent in extents:
        first, last = max(start, at), min(stop, at + extent.length)
        if first < last:
            yield Extent(extent.path, extent.offset + first - at, last - first)
        at += extent.length
