"""The directory that completions share, one after another, where they have no mount namespace of their own.

Measures and empties it whatever was put there: directories too deep for a path, or closed to their owner.
"""

# The worker does not load pathlib.
# ruff: noqa: PTH101, PTH104, PTH106, PTH108, PTH118

from __future__ import annotations

import os

__all__ = ["empty", "size"]

_ENTRIES = 16384


def empty(directory: str) -> None:
    """Remove everything inside `directory`; nested directories are first moved up, so no path gets long."""
    moved = 0
    while True:
        with os.scandir(directory) as entries:
            found = list(entries)
        if not found:
            return
        for entry in found:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            with os.scandir(entry.path) as entries:
                inner = list(entries)
            for item in inner:
                moved += 1
                if item.is_dir(follow_symlinks=False):
                    os.chmod(item.path, 0o700)  # moving a directory needs permission to write in it
                os.rename(item.path, os.path.join(directory, f"moved-{os.getpid()}-{moved}"))
            os.rmdir(entry.path)


def size(directory: str) -> int:
    """Return the bytes held below `directory`; of more than 16384 entries only that many are looked at."""
    total, seen, pending = 0, 0, [directory]
    while pending and seen < _ENTRIES:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    seen += 1
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except (FileNotFoundError, PermissionError, NotADirectoryError):
            continue  # the completion is at work in it
    return total
