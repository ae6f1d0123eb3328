"""What every writer of files needs: room checked, a full disk reported, short writes completed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelcore.errors import MindrailError, StepFailed

__all__ = ["check_room", "disk_errors", "make_directory", "write_at"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_room(directory: Path, needed: int) -> None:
    """Refuse to begin what cannot fit.

    Args:
        directory: where it will be written; must exist.
        needed: bytes still to be written there.

    Raises:
        StepFailed: the file system of `directory` has less free.
    """
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise StepFailed(
            f"{needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free",
            where=directory,
            fix="free space and run again",
        )


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Raise what a full disk, quota or file size limit makes of the block as StepFailed, naming `path`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StepFailed("the disk is full", where=path, fix="free space and run again") from error


def make_directory(directory: Path, *, where: Path | None = None, fix: str = "") -> None:
    """Make `directory` and those above it, unless they exist, and check that files can be made in it.

    Args:
        directory: the directory.
        where: what the user named, for the error; `directory` itself if None.
        fix: what to do about it, for the error.

    Raises:
        MindrailError: it cannot be made, is not a directory, or cannot be written in.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise MindrailError(
            f"cannot write here: {error.strerror}", where=where or directory, fix=fix
        ) from error


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data` to an open file, from byte `offset` on."""
    data = memoryview(data)
    while data:
        count = os.pwrite(descriptor, data, offset)
        data, offset = data[count:], offset + count
