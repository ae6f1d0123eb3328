"""Where each tensor's bytes go in a file to be written.

A layout is known before the first byte is written, so tensors can be written in any order, by several
threads, and writing can resume in an incomplete file. `safetensors_file` and `ckpt_file` make layouts.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from modelcore.weights.dtypes import DType

__all__ = ["FileLayout", "Place", "TensorSpec"]


@dataclass(frozen=True)
class TensorSpec:
    """A tensor as a file describes it."""

    name: str
    dtype: DType
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return math.prod(self.shape) * self.dtype.size


@dataclass(frozen=True)
class Place:
    """Consecutive bytes in the file to be written."""

    offset: int
    length: int


@dataclass(frozen=True)
class FileLayout:
    """The layout of a file.

    Attributes:
        size: in bytes.
        headers: offset and content of the bytes that belong to no tensor.
        specs: the tensors, in the order of the file.
        places: where each tensor's bytes go, in order, by its name.
    """

    size: int
    headers: tuple[tuple[int, bytes], ...]
    specs: tuple[TensorSpec, ...]
    places: Mapping[str, tuple[Place, ...]]

    def digest(self) -> str:
        """Return a sha256 over everything in the layout; other layouts have others."""
        sha = hashlib.sha256(str(self.size).encode())
        for offset, header in self.headers:
            sha.update(b"%d:%d:" % (offset, len(header)) + header)
        sha.update(json.dumps([[s.name, s.dtype.name, s.shape] for s in self.specs]).encode())
        return sha.hexdigest()
