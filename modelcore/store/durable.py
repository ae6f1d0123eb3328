"""Puts files on the disk so that a power loss leaves them whole, or not there under their names.

A rename can reach the disk before the renamed file's contents do, so contents are synced first. These
functions return when the disk has the data; whether one writer at a time calls them is not their matter.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["rename_durably", "replace_contents", "sync", "sync_tree"]


def sync(path: Path) -> None:
    """Return when the contents of the file, or the names in the directory, at `path` are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Return when every file and directory below `directory`, and it itself, is on the disk."""
    for path in (*directory.rglob("*"), directory):
        if not path.is_symlink() and (path.is_file() or path.is_dir()):
            sync(path)


def rename_durably(source: Path, destination: Path) -> None:
    """Rename within one directory, replacing a file of that name; a power loss later does not undo it."""
    source.replace(destination)
    sync(destination.parent)


def replace_contents(path: Path, contents: bytes, *, scratch_suffix: str = ".new") -> None:
    """Give the file at `path` these contents; readers, and what a crash leaves, have the old or the new.

    Args:
        path: the file; made if missing. Its directory exists.
        contents: all of them.
        scratch_suffix: ends the name under which the file is written first; processes that may write the
            same file at once need different ones.
    """
    scratch = path.with_name(path.name + scratch_suffix)
    scratch.write_bytes(contents)
    sync(scratch)
    rename_durably(scratch, path)
