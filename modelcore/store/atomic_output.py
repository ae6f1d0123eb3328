"""Output at a place that the user names: there whole or not at all, and never over something else.

The same care as the store's for commands that take a destination: the work is done in a directory
beside it, whose name tells from what, so that a killed command goes on and another does not mix in.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from modelcore.errors import MindrailError
from modelcore.store.durable import sync_tree
from modelcore.store.manifest import as_plain

__all__ = ["place"]

Result = TypeVar("Result")


def place(destination: Path, build: Callable[[Path], Result], *, origin: Mapping[str, Any]) -> Result:
    """Let `build` fill a directory beside `destination` and rename it there when it is done.

    Args:
        destination: a directory that does not exist, or is empty.
        build: fills the directory it is given; called again with the same one after it died.
        origin: whatever the output depends on; another origin gets another directory to work in.

    Raises:
        MindrailError: there is something at the destination, it cannot be written, or another
            process is making it right now.
    """
    destination = destination.absolute()
    if destination.exists() and not (destination.is_dir() and not any(destination.iterdir())):
        raise MindrailError("there is something here already", where=destination, fix="choose another place")
    mark = hashlib.sha256(json.dumps(as_plain(origin), sort_keys=True).encode()).hexdigest()[:12]
    partial = destination.with_name(f"{destination.name}.{mark}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        lock = (partial.parent / f".{partial.name}.lock").open("w")
    except OSError as error:
        raise MindrailError(f"cannot write here: {error.strerror}", where=destination) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MindrailError("another command is making this right now", where=destination) from error
        try:
            result = build(partial)
            sync_tree(partial)
            partial.rename(destination)
        finally:
            _leave_nothing_empty(partial, Path(lock.name))
    return result


def _leave_nothing_empty(partial: Path, lock: Path) -> None:
    """Remove what holds no work to go on from: the lock of a finished directory, or an empty one."""
    if partial.exists() and not any(partial.iterdir()):
        partial.rmdir()
    if not partial.exists():
        lock.unlink()
