"""Finds the data files that are meant by paths, directories and patterns, in an order of their names."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from modelcore.errors import MindrailError

__all__ = ["DATA_SUFFIXES", "named_files"]

DATA_SUFFIXES = (".json", ".jsonl", ".gz", ".txt", ".tokens")
"""Of the files that are taken from a directory; a file that is named may have any."""


def named_files(names: Sequence[str | Path], *, suffixes: tuple[str, ...] = DATA_SUFFIXES) -> list[Path]:
    """Return the files: in the order of the names, those of a directory or pattern sorted by their paths.

    Args:
        names: files; directories, of which the files with one of `suffixes` are taken; and patterns with
            `*`, `?`, `[...]` or `**`.
        suffixes: of the files in a directory.

    Raises:
        MindrailError: a name stands for no file, or a file is there twice.
    """
    found: list[Path] = []
    for name in names:
        files = _files(str(name), suffixes)
        if not files:
            raise _nothing(str(name), suffixes)
        found += files
    seen: set[Path] = set()
    for path in found:
        if path.resolve() in seen:
            raise MindrailError("is given twice", where=path, fix="name every file once")
        seen.add(path.resolve())
    return found


def _files(name: str, suffixes: tuple[str, ...]) -> list[Path]:
    try:
        path = Path(name).expanduser()
        if path.is_file():
            return [path]
    except (OSError, RuntimeError) as error:  # too long a name; a home of nobody
        raise MindrailError(f"no file's name ({getattr(error, 'strerror', error)})", where=name) from error
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file() and file.name.endswith(suffixes))
    if not glob.has_magic(name):
        return []
    found = glob.glob(str(path), recursive=True)  # noqa: PTH207  Path.glob takes no absolute pattern
    return sorted(file for file in map(Path, found) if file.is_file())


def _nothing(name: str, suffixes: tuple[str, ...]) -> MindrailError:
    if Path(name).is_dir():
        return MindrailError(f"holds no data (*{', *'.join(suffixes)})", where=name, fix="name the files")
    if glob.has_magic(name):
        return MindrailError("no file matches this pattern", where=name, fix="check the path")
    return MindrailError("there is no such file", where=name, fix="check the path")
