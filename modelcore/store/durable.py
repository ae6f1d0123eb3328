"""What is said to be done is on the disk: a lost power supply leaves it whole, or not there under its name.

A rename can reach the disk before the renamed file's contents do; so contents are sent there first.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["sync_tree"]


def sync_tree(directory: Path) -> None:
    """Return when every file and directory below `directory`, and it itself, is on the disk."""
    for path in (*directory.rglob("*"), directory):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
