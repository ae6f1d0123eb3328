"""The sha256 of large input files, remembered so that a run does not read a 65 GB checkpoint again.

A digest is reused while a file's path, inode, size and modification time are what they were when it was
hashed. A file changed within the last seconds is hashed each time: its next change may leave all of these as
they are (file systems keep time in steps). Artifacts of the store have their manifests; this is for files
outside it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelcore.store.journal import append_once, read_lines
from modelcore.store.manifest import file_sha256

__all__ = ["DIGESTS", "DigestCache"]

DIGESTS = "digests.jsonl"
"""The cache's file in a store; it may be removed at any time."""

_SMALL = 1 << 20  # bytes; smaller files are hashed faster than looked up
_LONG = 8 << 20  # bytes; some 25,000 digests, after which the older half is put aside
_SETTLED = 2.0  # seconds since a file's last change after which its time can be relied on


@dataclass(frozen=True)
class _Entry:
    path: str
    inode: int
    size: int
    modified: int
    sha256: str

    @classmethod
    def of(cls, path: Path, sha256: str) -> _Entry:
        state = path.stat()
        return cls(os.path.realpath(path), state.st_ino, state.st_size, state.st_mtime_ns, sha256)


class DigestCache:
    """Digests of files, kept in one file of JSON lines that several runs may append to.

    Args:
        path: the file; made, with its directory, when the first digest is kept.
        sha256: hashes a file.
    """

    def __init__(self, path: Path, sha256: Callable[[Path], str] = file_sha256) -> None:
        self._path = path
        self._sha256 = sha256
        self._known: dict[str, _Entry] | None = None

    def sha256(self, path: Path) -> str:
        """Return the sha256 of the file at `path`, in hexadecimal, hashing it where it is not known."""
        if path.stat().st_size < _SMALL:
            return self._sha256(path)
        known = self._entries().get(os.path.realpath(path))
        if known is not None and known == _Entry.of(path, known.sha256):
            return known.sha256
        before = _Entry.of(path, "")
        entry = _Entry(**asdict(before) | {"sha256": self._sha256(path)})
        if entry == _Entry.of(path, entry.sha256) and _is_settled(entry):
            self._keep(entry)
        return entry.sha256

    def _entries(self) -> dict[str, _Entry]:
        if self._known is None:
            entries = (_entry(record) for record in read_lines(self._path).records)
            self._known = {entry.path: entry for entry in entries if entry is not None}
        return self._known

    def _keep(self, entry: _Entry) -> None:
        self._entries()[entry.path] = entry
        self._path.parent.mkdir(parents=True, exist_ok=True)
        append_once(
            self._path, asdict(entry), is_same=lambda record: _entry(record) == entry, rotate_at=_LONG
        )


def _entry(record: Any) -> _Entry | None:
    """Return what a line of the file says, None for a line that this version does not understand."""
    try:
        return _Entry(**record)
    except TypeError:
        return None


def _is_settled(entry: _Entry) -> bool:
    return time.time_ns() - entry.modified > _SETTLED * 1e9
