"""What has been written into a file so far, so that an interrupted writing can go on.

The journal is believed only as far as the bytes on disk agree with it: `still_there` reads them back. So
it needs no flushing to disk, and neither a killed process nor a lost power supply can make it lie.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from modelcore.weights.file_layout import FileLayout, Place

__all__ = ["Journal", "TensorRecord", "still_there"]

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


class Journal:
    """A file of lines: first what is being written, then a `TensorRecord` for each tensor that is."""

    def __init__(self, path: Path, subject: str) -> None:
        self._path = path
        self._subject = subject

    def read(self) -> list[TensorRecord]:
        """Return the records; none if the journal is of another subject, unreadable or not there."""
        if not self._path.exists():
            return []
        lines = self._path.read_text(errors="replace").split("\n")
        if lines[0] != json.dumps(self._subject):
            return []
        # What follows the last newline is a line that a killed process was writing.
        return [_record(line) for line in lines[1:-1]]

    def start(self, records: Iterable[TensorRecord]) -> None:
        """Begin the file anew with these records."""
        lines = [json.dumps(self._subject), *(json.dumps(vars(record)) for record in records)]
        self._path.write_text("".join(line + "\n" for line in lines))

    def add(self, record: TensorRecord) -> None:
        """Append one record."""
        with self._path.open("a") as file:
            file.write(json.dumps(vars(record)) + "\n")


def still_there(
    path: Path, layout: FileLayout, records: Iterable[TensorRecord], seen: Callable[[int], None]
) -> dict[str, TensorRecord]:
    """Return those records whose tensors are in the file at `path`, byte for byte.

    Args:
        path: the file, whole or begun.
        layout: where the tensors are.
        records: what the journal says.
        seen: called with each number of bytes found intact.
    """
    if path.stat().st_size != layout.size:
        return {}
    intact = {}
    with path.open("rb") as file:
        for record in records:
            places = layout.places[record.name]
            if _sha256(file.fileno(), places) == record.sha256:
                intact[record.name] = record
                seen(sum(place.length for place in places))
    return intact


def _record(line: str) -> TensorRecord:
    raw = json.loads(line)
    return TensorRecord(**{**raw, "shape": tuple(raw["shape"])})


def _sha256(descriptor: int, places: Iterable[Place]) -> str:
    sha = hashlib.sha256()
    for place in places:
        for at in range(0, place.length, _BLOCK):
            sha.update(os.pread(descriptor, min(_BLOCK, place.length - at), place.offset + at))
    return sha.hexdigest()
