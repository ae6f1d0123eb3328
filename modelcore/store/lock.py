"""The lock between processes: `flock` on a file, released by the kernel however its holder ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["locked"]


@contextmanager
def locked(path: Path, *, on_busy: Callable[[], None] = lambda: None, remove: bool = False) -> Iterator[None]:
    """Hold the lock of the file at `path` while the block runs.

    The file is made if missing and stays, unless the holder removes it; whoever waited for a removed file
    locks the new one. It is opened for writing, because NFS grants exclusive locks on such files only.

    Args:
        path: the file; its directory exists.
        on_busy: called once, before waiting, if another process or thread holds the lock; what it raises
            ends the attempt.
        remove: remove the file at the end.

    Raises:
        OSError: the file cannot be made or opened.
    """
    descriptor = _acquire(path, on_busy)
    try:
        yield
    finally:
        if remove:
            path.unlink(missing_ok=True)  # still locked: whoever waits finds that it is gone
        os.close(descriptor)


def _acquire(path: Path, on_busy: Callable[[], None]) -> int:
    notified = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not notified:
                    notified = True
                    on_busy()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file still has this name: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
