"""Records of the tensors written to a file: what was written, and whether it is still there.

A record is trusted only as far as the bytes on disk agree with it: `intact_records` reads them back. So
records need no syncing to disk, and neither a killed process nor a power loss can make them wrong.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcore.weights.file_layout import FileLayout, Place

__all__ = ["TensorRecord", "intact_records"]

_BLOCK = 1 << 20


@dataclass(frozen=True)
class TensorRecord:
    """What was written: shape, type, sha256 of the bytes, counts of NaN and infinite elements."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str
    nan: int
    infinite: int

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON can hold it."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> TensorRecord:
        """Return the record that `to_json` gave as `row`."""
        return cls(**{**row, "shape": tuple(row["shape"])})


def intact_records(
    path: Path, layout: FileLayout, records: Iterable[TensorRecord], verified: Callable[[int], None]
) -> dict[str, TensorRecord]:
    """Return, by name, those records whose tensors are in the file at `path`, byte for byte.

    Args:
        path: the file, whole or partly written.
        layout: where the tensors are.
        records: of what was written.
        verified: called with each number of bytes found intact.
    """
    if path.stat().st_size != layout.size:
        return {}
    intact = {}
    with path.open("rb") as file:
        for record in records:
            places = layout.places[record.name]
            if _sha256(file.fileno(), places) == record.sha256:
                intact[record.name] = record
                verified(sum(place.length for place in places))
    return intact


def _sha256(descriptor: int, places: Iterable[Place]) -> str:
    sha = hashlib.sha256()
    for place in places:
        for at in range(0, place.length, _BLOCK):
            sha.update(os.pread(descriptor, min(_BLOCK, place.length - at), place.offset + at))
    return sha.hexdigest()
