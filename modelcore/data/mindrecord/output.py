"""The names of the files of rows: FILE.mindrecord, and beside it all that belongs to it.

    FILE.mindrecord, FILE.mindrecord.db                          rows and their index
    FILE_0.mindrecord, FILE_0.mindrecord.db, FILE_1…             the same, in several files
    FILE.validation.mindrecord, FILE.validation.mindrecord.db    rows held back
    FILE.report.json, FILE.report.html                           what happened to the records

They appear together when all are complete, the `.mindrecord` files last: whoever sees one sees its index and
its report. Nothing that exists is ever replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.store.atomic_output import atomic_files

__all__ = ["SUFFIX", "atomic_rows", "page_path", "report_path", "rows_path", "validation_path"]

SUFFIX = ".mindrecord"


def rows_path(path: Path, number: int | None) -> Path:
    """Return the path of file `number`, counted from 0, of several; of the only file if it is None."""
    return path if number is None else path.with_name(f"{path.stem}_{number}{SUFFIX}")


def validation_path(path: Path) -> Path:
    """Return the path of the rows held back from `path`."""
    return path.with_suffix(f".validation{SUFFIX}")


def report_path(path: Path) -> Path:
    """Return the path of the report on the rows in `path`."""
    return path.with_suffix(".report.json")


def page_path(path: Path) -> Path:
    """Return the path of the report on the rows in `path` as a page."""
    return path.with_suffix(".report.html")


@contextmanager
def atomic_rows(destination: Path) -> Iterator[Path]:
    """Yield a path to write instead of `destination`; all files beside it appear if the block ends well.

    Args:
        destination: FILE.mindrecord, of which nothing may exist yet.

    Raises:
        MindrailError: the name has another suffix, something of that name exists, another process is
            writing it, or the place cannot be written to.
    """
    if destination.suffix != SUFFIX or not destination.stem:
        raise MindrailError(
            f"the output's name must end in {SUFFIX}", where=destination, fix=f"--output rows{SUFFIX}"
        )
    stem = re.escape(destination.stem)
    ours = re.compile(rf"{stem}(\.validation)?(_\d+)?\.mindrecord(\.db)?|{stem}\.report\.(json|html)")
    with atomic_files(
        destination,
        belongs=lambda name: ours.fullmatch(name) is not None,
        order=lambda name: 1 if name.endswith(SUFFIX) else 0,
    ) as path:
        yield path
