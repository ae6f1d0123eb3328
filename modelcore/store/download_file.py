"""Fetches one file: resumes where it was cut off, checks length and sha256, and renames it last.

The bytes come from a `Source`: a directory (here), a web server (`download_http`) or the hub (`hub`). Until
it is complete the file is `<name>.partial`, with the version of the original in `<name>.partial.version`, so
that two versions are never mixed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Protocol

from modelcore.boundary.files import read_utf8
from modelcore.errors import MindrailError, StepFailed
from modelcore.store.disk import check_room, disk_errors
from modelcore.store.manifest import file_sha256
from modelcore.store.model_files import COMPANIONS

__all__ = ["DirectorySource", "Opened", "Source", "fetch_file", "read_block"]

_BLOCK = 1 << 20
_LONGEST_VERSION = 1 << 16
_LARGEST_SMALL = 64 << 20  # bytes of a file of unknown size that is a configuration or tokenizer
_SPARED = 1 << 30  # bytes that a file of unknown size leaves free on the disk


class Reader(Protocol):
    """A stream of bytes."""

    def read1(self, size: int, /) -> bytes:
        """Return what has arrived, at most `size` bytes; b"" at the end."""
        ...

    def close(self) -> None:
        """Close the stream; the rest is not read."""
        ...


@dataclass(frozen=True)
class Opened:
    """A file of a source, ready to be read.

    Attributes:
        stream: its bytes from `start` on.
        start: the requested offset, or 0 if the source cannot start there.
        size: of the whole file in bytes; None if unknown.
        version: changes when the file does; empty if unknown.
    """

    stream: Reader
    start: int
    size: int | None
    version: str


class Source(Protocol):
    """Files by name, wherever they are."""

    def open(self, name: str, offset: int = 0, version: str = "") -> Opened | None:
        """Open a file at `offset` if it is still of `version`, else at 0; None if there is no such file.

        Raises:
            StepFailed: the source does not answer at the moment.
            MindrailError: the source refuses.
        """
        ...

    def where(self, name: str) -> str:
        """Return the file's address, for errors."""
        ...


@dataclass(frozen=True)
class DirectorySource:
    """A directory as a source."""

    directory: Path

    def open(self, name: str, offset: int = 0, version: str = "") -> Opened | None:
        """Open a file of the directory."""
        path = self.directory / name
        if not path.is_file():
            return None
        stat = path.stat()
        current = f"{stat.st_size}-{stat.st_mtime_ns}"
        start = offset if version == current and offset <= stat.st_size else 0
        stream = path.open("rb")
        stream.seek(start)
        return Opened(stream, start, stat.st_size, current)

    def where(self, name: str) -> str:
        """Return the file's path."""
        return str(self.directory / name)


def fetch_file(
    source: Source,
    name: str,
    directory: Path,
    *,
    sha256: str | None = None,
    received: Callable[[int, int | None], None] = lambda count, size: None,
) -> Path | None:
    """Fetch `name` into `directory`, unless it is there already; None if the source has no such file.

    Args:
        source: where it is.
        name: its name, at the source and in `directory`.
        directory: where to put it.
        sha256: of its contents, where known; a file that is there already is checked, too.
        received: called with each number of new bytes and the file's size, and once with what was there.

    Raises:
        StepFailed: cut off, or no room; what was received is kept, and the next call resumes there.
        MindrailError: the contents are not those of `sha256`; they are removed.
    """
    path, partial = directory / name, directory / f"{name}.partial"
    version = directory / f"{name}.partial.version"
    if path.exists():
        if sha256 is not None and file_sha256(path) != sha256:
            raise MindrailError(
                f"is here already, but its sha256 is not {sha256}",
                where=path,
                fix="remove it or correct the sum",
            )
        received(path.stat().st_size, path.stat().st_size)
        version.unlink(missing_ok=True)
        return path
    resumed = _resume_point(partial, version)
    opened = source.open(name, resumed.offset, resumed.version)
    if opened is not None and resumed.is_of_another(opened):
        opened.stream.close()
        opened = source.open(name)
    if opened is None:
        return None
    try:
        _receive(opened, partial, version, source.where(name), received)
    finally:
        opened.stream.close()
    try:
        _check(partial, sha256, source.where(name), resumed=opened.start > 0)
        partial.rename(path)
    finally:
        version.unlink()
    return path


@dataclass(frozen=True)
class _Resumed:
    """What is here of a file: how many bytes, and the version and size of the file that they are of."""

    offset: int = 0
    version: str = ""
    size: int | None = None

    def is_of_another(self, opened: Opened) -> bool:
        """Whether the rest that was opened is of a file of another version or size."""
        sizes = {self.size, opened.size} - {None}
        return opened.start > 0 and (opened.version != self.version or len(sizes) > 1)


def _resume_point(partial: Path, version: Path) -> _Resumed:
    """Return what is here; nothing if the version is unknown. The version's file has the size in line 2."""
    if not (partial.exists() and version.exists()):
        return _Resumed()
    try:
        known, _, size = read_utf8(version, _LONGEST_VERSION).partition("\n")
    except MindrailError:
        return _Resumed()  # cut or damaged: the file starts over
    if not known:
        return _Resumed()
    return _Resumed(partial.stat().st_size, known, int(size) if re.fullmatch("[0-9]{1,18}", size) else None)


def _receive(
    opened: Opened,
    partial: Path,
    version: Path,
    where: str,
    received: Callable[[int, int | None], None],
) -> None:
    check_room(partial.parent, (opened.size or 0) - opened.start)
    received(opened.start, opened.size)
    at = opened.start
    with disk_errors(partial), partial.open("r+b" if opened.start else "wb") as file:
        version.write_text(
            f"{opened.version}\n{'' if opened.size is None else opened.size}", encoding="utf-8"
        )
        file.seek(at)
        file.truncate()
        while block := read_block(opened.stream, where):
            file.write(block)
            at += len(block)
            received(len(block), opened.size)
            _check_end(opened, partial, at, where)
        file.flush()
        os.fsync(file.fileno())
    if opened.size is not None and at != opened.size:
        raise StepFailed(
            f"cut off after {at} of {opened.size} bytes", where=where, fix="run again: it resumes"
        )


def _check_end(opened: Opened, partial: Path, at: int, where: str) -> None:
    """Stop what is longer than announced, and what was not announced and will not end."""
    if opened.size is not None and at > opened.size:
        raise StepFailed(f"more than the {opened.size} bytes announced", where=where, fix="run again")
    if opened.size is None:
        if partial.name.removesuffix(".partial") in COMPANIONS and at > _LARGEST_SMALL:
            raise MindrailError(f"more than {_LARGEST_SMALL >> 20} MiB and no end", where=where)
        check_room(partial.parent, _SPARED)


def read_block(stream: Reader, where: str) -> bytes:
    """Return what has arrived, b"" at the end; raise StepFailed if the connection breaks."""
    try:
        return stream.read1(_BLOCK)
    except (OSError, HTTPException) as error:
        raise StepFailed(
            f"the connection broke ({error!r})", where=where, fix="run again: it resumes"
        ) from error


def _check(partial: Path, sha256: str | None, where: str, *, resumed: bool) -> None:
    if sha256 is None:
        return
    found = file_sha256(partial)
    if found == sha256:
        return
    partial.unlink()
    if resumed:
        raise StepFailed(
            "the parts received do not fit together", where=where, fix="run again: it starts over"
        )
    raise MindrailError(
        f"its sha256 is {found}, expected {sha256}", where=where, fix="check the source and the sum"
    )
