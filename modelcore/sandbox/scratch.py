"""The scratch directory that successive completions share where they have no mount namespace.

Measures and empties it whatever its content: directories nested too deeply for a path, or not accessible
to their owner. `empty` is safe against links only while no completion runs; `size` opens no file.
"""

# The worker does not load pathlib.

from __future__ import annotations

import os

__all__ = ["empty", "size"]

_ENTRIES = 16384
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def empty(directory: str) -> None:
    """Remove everything inside `directory`, walking by descriptors because paths may be too long."""
    here = os.open(directory, _DIRECTORY)
    names: list[str] = []
    remaining = [_remove_files(here)]
    while True:
        if remaining[-1]:
            names.append(remaining[-1].pop())
            os.chmod(names[-1], 0o700, dir_fd=here)
            here = _changed_directory(here, names[-1])
            remaining.append(_remove_files(here))
        elif names:
            here = _changed_directory(here, "..")
            os.rmdir(names.pop(), dir_fd=here)
            remaining.pop()
        else:
            os.close(here)
            return


def _changed_directory(here: int, name: str) -> int:
    there = os.open(name, _DIRECTORY, dir_fd=here)
    os.close(here)
    return there


def _remove_files(here: int) -> list[str]:
    """Remove everything but directories from the directory open as `here`; return the directories' names."""
    with os.scandir(here) as entries:
        listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in listed:
        if not is_directory:
            os.unlink(name, dir_fd=here)
    return [name for name, is_directory in listed if is_directory]


def size(directory: str) -> int:
    """Return the bytes allocated below `directory`; at most 16384 entries are counted."""
    total, seen, pending = 0, 0, [directory]
    while pending and seen < _ENTRIES:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    seen += 1
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:  # the completion is running: removed, made inaccessible, or too deep for a path
            continue
    return total
