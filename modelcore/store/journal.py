"""Journals: files of JSON lines to which records are appended one by one, and which survive a crash.

A record is one write at the end of the file. A process that is killed at any moment leaves whole records and
at most one cut line, which reading skips; records are objects or lists, so a cut line is never valid JSON.
After a power loss, what was synced is there.

A journal may begin with a line that says what its records are about (its subject); a reader with another
subject finds no records. `Journal` is for one writer, `append_once` for several.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeAlias

from modelcore.boundary.json_text import parse_json
from modelcore.store.disk import disk_errors
from modelcore.store.durable import replace_contents, sync
from modelcore.store.lock import locked

__all__ = ["Journal", "Lines", "Record", "append_once", "read_journal", "read_lines"]

_LONG = 1 << 20  # bytes; records of ours are shorter, and may have what is no JSON: NaN

Record: TypeAlias = Mapping[str, Any] | Sequence[Any]


class Lines(NamedTuple):
    """The records of a file of JSON lines, and the number of lines that are not JSON."""

    records: list[Any]
    unreadable: int


def read_lines(path: Path) -> Lines:
    """Return the records of the file at `path`; none if there is no such file."""
    return _parse(path.read_bytes()) if path.exists() else Lines([], 0)


def read_journal(path: Path, subject: Record | str | None = None) -> list[Any]:
    """Return the complete records of the journal at `path`, in the order they were appended.

    Args:
        path: the journal.
        subject: what its first line must be; None if it has no such line.

    Returns:
        The records; none if there is no journal, or one of another subject.
    """
    records = read_lines(path).records
    if subject is None:
        return records
    return records[1:] if records[:1] == [subject] else []


class Journal:
    """A journal open for appending; a context manager.

    Args:
        path: the file, which is replaced atomically by one with `records`. Its directory exists.
        records: to begin with: those that `read_journal` returned and that are still valid.
        subject: what the records are about, written as the first line; None for no such line.

    Example:
        >>> with Journal(path, read_journal(path, "run 1"), subject="run 1") as journal:
        ...     journal.append({"sample": 0, "passed": True})
    """

    def __init__(self, path: Path, records: Iterable[Record], *, subject: Record | str | None = None) -> None:
        rows = [*([] if subject is None else [subject]), *records]
        with disk_errors(path):
            replace_contents(path, b"".join(map(_line, rows)))
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)

    def append(self, record: Record) -> None:
        """Append a record; it is there even if this process is killed right after.

        Raises:
            StepFailed: the disk is full; the journal is as it was.
        """
        with disk_errors(self._path):
            _append(self._descriptor, _line(record))

    def sync(self) -> None:
        """Return when all records are on the disk and survive a power loss."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; the journal stays."""
        os.close(self._descriptor)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def append_once(
    path: Path, record: Record, *, is_same: Callable[[Any], bool], rotate_at: int | None = None
) -> bool:
    """Append a record to a file that several processes append to, unless it is there already.

    Lines that are there are never changed; a cut last line is ended by a newline. The record survives a
    power loss.

    Args:
        path: the file, which is locked meanwhile; made if missing. Its directory exists.
        record: the record.
        is_same: whether a record of the file is this one.
        rotate_at: bytes; a longer file is put aside as `<stem>.1<suffix>`, in the place of one that was put
            aside before, and continues with its newer half. None: it grows.

    Returns:
        Whether it was appended.
    """
    if rotate_at is not None and path.exists() and path.stat().st_size > rotate_at:
        _rotate(path, rotate_at)
    with locked(path):
        contents = path.read_bytes()
        if any(map(is_same, _parse(contents).records)):
            return False
        is_cut = contents != b"" and not contents.endswith(b"\n")
        with disk_errors(path), path.open("ab", buffering=0) as file:
            _append(file.fileno(), (b"\n" if is_cut else b"") + _line(record))
        sync(path)
        sync(path.parent)
    return True


def _rotate(path: Path, rotate_at: int) -> None:
    """Put a long file aside and leave its newer half; nothing is lost by a crash in between."""
    with locked(path):
        contents = path.read_bytes()
        if len(contents) > rotate_at:  # another process may have been first
            middle = contents.find(b"\n", len(contents) // 2) + 1
            with disk_errors(path):
                replace_contents(path.with_name(f"{path.stem}.1{path.suffix}"), contents)
                replace_contents(path, contents[middle:])


def _parse(contents: bytes) -> Lines:
    records, unreadable = [], 0
    for line in BytesIO(contents):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line) if len(line) < _LONG else parse_json(line, surrogates=True))
        except (ValueError, RecursionError):
            unreadable += 1
    return Lines(records, unreadable)


def _line(record: Record | str) -> bytes:
    return json.dumps(record).encode("ascii") + b"\n"


def _append(descriptor: int, data: bytes) -> None:
    """Append all of `data`, or, where the disk is full, nothing."""
    before = os.fstat(descriptor).st_size
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        os.ftruncate(descriptor, before)
        raise
