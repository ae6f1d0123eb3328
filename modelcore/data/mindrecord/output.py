"""Where rows are put: FILE.mindrecord, and beside it all that belongs to it, there whole or not at all.

    FILE.mindrecord, FILE.mindrecord.db                          rows and their index
    FILE_0.mindrecord, FILE_0.mindrecord.db, FILE_1…             the same, where several files are asked for
    FILE.validation.mindrecord, FILE.validation.mindrecord.db    rows held back
    FILE.report.json, FILE.report.html                           what happened to the records

Everything is made in a directory of its own and gets its place by hard links, the `.mindrecord` files last:
whoever sees one sees its index and its report. Nothing that exists is ever replaced.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.store.durable import sync_tree

__all__ = ["SUFFIX", "built_aside", "page_path", "report_path", "rows_path", "validation_path"]

SUFFIX = ".mindrecord"


def rows_path(path: Path, number: int | None) -> Path:
    """Return the file of that number, counted from 0, of rows spread over several; None is the one file."""
    return path if number is None else path.with_name(f"{path.stem}_{number}{SUFFIX}")


def validation_path(path: Path) -> Path:
    """Return where the rows held back from `path` stand."""
    return path.with_suffix(f".validation{SUFFIX}")


def report_path(path: Path) -> Path:
    """Return where the report on the rows in `path` stands."""
    return path.with_suffix(".report.json")


def page_path(path: Path) -> Path:
    """Return where the report on the rows in `path` stands as a page."""
    return path.with_suffix(".report.html")


@contextmanager
def built_aside(destination: Path) -> Iterator[Path]:
    """Give a path to write under instead; what is written there takes its place if the block ends well.

    Args:
        destination: FILE.mindrecord, of which nothing may exist yet.

    Raises:
        MindrailError: the name has another suffix, something of that name exists, another process is making
            it, or the place cannot be written to.
    """
    if destination.suffix != SUFFIX or not destination.stem:
        raise MindrailError(
            f"the output's name must end in {SUFFIX}", where=destination, fix=f"--output rows{SUFFIX}"
        )
    with _scratch(destination) as scratch:
        _remove_remains(scratch)
        _refuse_existing(destination)
        yield scratch / destination.name
        _put(scratch)


@contextmanager
def _scratch(destination: Path) -> Iterator[Path]:
    """Give a directory beside the destination that this process alone uses, and remove it at the end."""
    scratch = destination.with_name(f".{destination.name}.partial")
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        handle = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise MindrailError(f"cannot write here ({error.strerror})", where=destination) from error
    try:
        _lock(handle, destination)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    finally:
        os.close(handle)


def _lock(handle: int, destination: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise MindrailError("another command is making this right now", where=destination) from error


def _in_order(scratch: Path) -> list[Path]:
    return sorted(scratch.iterdir(), key=lambda path: (path.suffix == SUFFIX, path.name))


def _remove_remains(scratch: Path) -> None:
    """Undo what a process did that was killed here: the places it had given, unless it had given all."""
    made = _in_order(scratch)
    placed = [path for path in made if _is_placed(path)]
    if len(placed) < len(made):
        for path in placed:
            _place(path).unlink()
    for path in made:
        path.unlink()


def _place(path: Path) -> Path:
    return path.parent.parent / path.name


def _is_placed(path: Path) -> bool:
    place = _place(path)
    return place.is_file() and place.samefile(path)


def _refuse_existing(destination: Path) -> None:
    stem = re.escape(destination.stem)
    ours = re.compile(rf"{stem}(\.validation)?(_\d+)?\.mindrecord(\.db)?|{stem}\.report\.(json|html)")
    existing = sorted(name for name in os.listdir(destination.parent) if ours.fullmatch(name))  # noqa: PTH208
    if existing:
        raise MindrailError(
            "exists already",
            where=destination.with_name(existing[0]),
            fix="remove it or choose another name",
        )


def _put(scratch: Path) -> None:
    placed: list[Path] = []
    try:
        sync_tree(scratch)
        for path in _in_order(scratch):
            os.link(path, _place(path))
            placed.append(_place(path))
    except OSError as error:
        for place in placed:
            place.unlink()
        raise MindrailError(f"cannot be put here ({error.strerror})", where=_place(path)) from error
