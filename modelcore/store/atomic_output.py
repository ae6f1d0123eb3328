"""Output that appears under its name complete or not at all, whenever the process that makes it dies.

The work is done in a directory beside the destination (`….partial`). What is there is synced to the disk
before it gets its name, and nothing that exists is replaced. `build_directory` is the mechanism alone;
`atomic_directory`, `atomic_file` and `atomic_files` are for destinations that a user names, and let one
process at a time work on each.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from modelcore.errors import MindrailError
from modelcore.store.disk import disk_errors, make_directory
from modelcore.store.durable import rename_durably, sync, sync_tree
from modelcore.store.lock import locked
from modelcore.store.manifest import as_plain

__all__ = ["atomic_directory", "atomic_file", "atomic_files", "build_directory"]

Result = TypeVar("Result")


def build_directory(destination: Path, partial: Path, build: Callable[[Path], Result]) -> Result:
    """Let `build` fill the directory `partial`, then rename it.

    Args:
        destination: the directory's name; by then nothing, or an empty directory, may be there.
        partial: a directory beside it; made if missing. It stays if `build` raises.
        build: fills the directory that it is called with, and resumes from what it finds there. If a file
            certifies the others, `build` writes it last.

    Returns:
        What `build` returns.

    Raises:
        MindrailError: `partial` cannot be made.
        StepFailed: the disk is full.
    """
    make_directory(partial, where=destination)
    result = build(partial)
    with disk_errors(partial):
        sync_tree(partial)
    rename_durably(partial, destination)
    return result


def atomic_directory(
    destination: Path, build: Callable[[Path], Result], *, origin: Mapping[str, Any]
) -> Result:
    """Build a directory at a place that a user names.

    Args:
        destination: a directory that does not exist, or is empty.
        build: fills the directory that it is called with; a call after a killed one gets the same
            directory and resumes from what is there.
        origin: whatever the output depends on; another origin gets another directory to work in.

    Returns:
        What `build` returns.

    Raises:
        MindrailError: there is something at the destination, it cannot be written, or another process is
            building it right now.
    """
    destination, partial = destination.absolute(), _partial(destination, origin)
    with _only_process(partial.with_name(f".{partial.name}.lock"), destination):
        if destination.exists() and not (destination.is_dir() and not any(destination.iterdir())):
            raise _in_the_way(destination)
        try:
            return build_directory(destination, partial, build)
        finally:
            _remove_empty(partial)


def atomic_file(
    destination: Path, name: str, build: Callable[[Path], Result], *, origin: Mapping[str, Any]
) -> Result:
    """Build one file at a place that a user names.

    Args:
        destination: a file that does not exist.
        name: of the file among those that `build` makes; the others are removed.
        build: as of `atomic_directory`.
        origin: as of `atomic_directory`.

    Returns:
        What `build` returns.

    Raises:
        MindrailError: as of `atomic_directory`.
    """
    destination, partial = destination.absolute(), _partial(destination, origin)
    with _only_process(partial.with_name(f".{partial.name}.lock"), destination):
        if destination.exists():
            raise _in_the_way(destination)
        make_directory(partial, where=destination)
        try:
            result = build(partial)
            with disk_errors(partial):
                sync(partial / name)
            rename_durably(partial / name, destination)
            shutil.rmtree(partial)
            return result
        finally:
            _remove_empty(partial)


def _partial(destination: Path, origin: Mapping[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(as_plain(origin), sort_keys=True).encode()).hexdigest()[:12]
    return destination.absolute().with_name(f"{destination.name}.{digest}.partial")


def _in_the_way(destination: Path) -> MindrailError:
    return MindrailError("there is something here already", where=destination, fix="choose another place")


def _remove_empty(partial: Path) -> None:
    if partial.exists() and not any(partial.iterdir()):
        partial.rmdir()


@contextmanager
def atomic_files(
    destination: Path, *, belongs: Callable[[str], bool], order: Callable[[str], int] = lambda name: 0
) -> Iterator[Path]:
    """Write one file, or several that belong together, into a directory that may hold others.

    The files are written in a separate directory and appear by hard links, in order. What a killed process
    left is removed by the next call, unless all of its files had appeared.

    Args:
        destination: the file after which the separate directory and the lock are named.
        belongs: whether a name in the destination's directory is one of these files'.
        order: files of a lower number appear first.

    Yields:
        The path to write instead of `destination`; files beside it go beside the destination. If the block
        raises, nothing is left.

    Raises:
        MindrailError: one of the files exists, the destination cannot be written, or another process is
            writing it right now.
    """
    partial = destination.with_name(f".{destination.name}.partial")
    with _only_process(partial.with_name(f"{partial.name}.lock"), destination):
        make_directory(partial, where=destination)
        try:
            _remove_remains(partial)
            _refuse_existing(destination, belongs)
            yield partial / destination.name
            _publish(sorted(partial.iterdir(), key=lambda path: (order(path.name), path.name)))
            sync(destination.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _only_process(lock: Path, destination: Path) -> Iterator[None]:
    """Hold the lock of a destination, or refuse it while another process does."""

    def refuse() -> None:
        raise MindrailError("another command is making this right now", where=destination)

    make_directory(destination.parent, where=destination)
    with locked(lock, on_busy=refuse):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _remove_remains(partial: Path) -> None:
    """Remove what a killed process left, and what it had published, unless that was all of it."""
    remains = [*partial.iterdir()]
    published = [path for path in remains if _is_published(path)]
    if len(published) < len(remains):
        for path in published:
            _published(path).unlink()
    for path in remains:
        path.unlink()


def _refuse_existing(destination: Path, belongs: Callable[[str], bool]) -> None:
    existing = sorted(name for name in os.listdir(destination.parent) if belongs(name))  # noqa: PTH208
    if existing:
        raise MindrailError(
            "exists already",
            where=destination.with_name(existing[0]),
            fix="remove it or choose another name",
        )


def _publish(paths: list[Path]) -> None:
    """Link the synced files into the directory above theirs; all or, where one cannot be, none."""
    for path in paths:
        with disk_errors(_published(path)):
            sync(path)
    for number, path in enumerate(paths):
        try:
            os.link(path, _published(path))
        except OSError as error:
            for done in paths[:number]:
                _published(done).unlink()
            raise MindrailError(f"cannot be put here ({error.strerror})", where=_published(path)) from error


def _published(path: Path) -> Path:
    return path.parent.parent / path.name


def _is_published(path: Path) -> bool:
    published = _published(path)
    return published.is_file() and published.samefile(path)
