"""The directory that completions share, one after another, where they have no mount namespace of their own.

Measures and empties it whatever was put there: directories too deep for a path, or closed to their owner.
Both are only safe against links while no completion runs (`empty`) or because nothing is opened (`size`).
"""

# The worker does not load pathlib.

from __future__ import annotations

import os

__all__ = ["empty", "size"]

_ENTRIES = 16384
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def empty(directory: str) -> None:
    """Remove everything inside `directory`, going down and up by descriptors, never by a long path."""
    here = os.open(directory, _DIRECTORY)
    names: list[str] = []
    remaining = [_remove_files(here)]
    while True:
        if remaining[-1]:
            names.append(remaining[-1].pop())
            os.chmod(names[-1], 0o700, dir_fd=here)
            here = _moved(here, names[-1])
            remaining.append(_remove_files(here))
        elif names:
            here = _moved(here, "..")
            os.rmdir(names.pop(), dir_fd=here)
            remaining.pop()
        else:
            os.close(here)
            return


def _moved(here: int, name: str) -> int:
    there = os.open(name, _DIRECTORY, dir_fd=here)
    os.close(here)
    return there


def _remove_files(here: int) -> list[str]:
    """Remove what is no directory from the one open as `here`; return the names of those that are."""
    with os.scandir(here) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        if not is_directory:
            os.unlink(name, dir_fd=here)
    return [name for name, is_directory in found if is_directory]


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
        except OSError:  # the completion is at work in it: gone, closed, or too deep for a path
            continue
    return total
