"""Where each tensor's bytes go in a file that is about to be written.

A layout is known before the first byte is written, so tensors can be written in any order, by several
threads, and a half-written file can be continued. `safetensors_file` and `ckpt_file` make layouts.
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
    """A run of bytes in the file that is written."""

    offset: int
    length: int


@dataclass(frozen=True)
class FileLayout:
    """A file to be: its size, its bytes that are no tensor's, and where each tensor's bytes go, in order."""

    size: int
    headers: tuple[tuple[int, bytes], ...]
    specs: tuple[TensorSpec, ...]
    places: Mapping[str, tuple[Place, ...]]

    def digest(self) -> str:
        """Return a sha256 that two layouts share only if they are the same."""
        sha = hashlib.sha256(str(self.size).encode())
        for offset, header in self.headers:
            sha.update(b"%d:%d:" % (offset, len(header)) + header)
        sha.update(json.dumps([[s.name, s.dtype.name, s.shape] for s in self.specs]).encode())
        return sha.hexdigest()
