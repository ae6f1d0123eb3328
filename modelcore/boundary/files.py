"""Reads whole files that someone else wrote: regular or piped, of a size that is sensible for their kind.

A file's size is compared with the limit before memory is taken; a sparse file of 100 GB or a device costs
nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelcore.errors import MindrailError

__all__ = ["read_file", "read_utf8", "status"]


def read_file(path: Path, largest: int) -> bytes:
    """Return the bytes of the file at `path`.

    Args:
        path: a regular file, or what a shell's `<(…)` names.
        largest: bytes that such a file may have.

    Raises:
        MindrailError: it is missing, too large, no file, or cannot be read.
    """
    state = status(path)
    if stat.S_ISDIR(state.st_mode):
        raise MindrailError("a directory, not a file", where=path)
    if state.st_size > largest:
        raise _too_large(path, state.st_size, largest)
    with _reported(path), path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:  # a device or a pipe, whose size nobody knows
        raise _too_large(path, len(content), largest)
    return content


def status(path: Path) -> os.stat_result:
    """Return what the file system says about `path`.

    Raises:
        MindrailError: there is nothing, or its name is none that the file system takes.
    """
    with _reported(path):
        return path.stat()


def read_utf8(path: Path, largest: int) -> str:
    """Return the text of the UTF-8 file at `path`; arguments and errors as for `read_file`."""
    try:
        return read_file(path, largest).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MindrailError(f"not UTF-8 ({error.reason} at byte {error.start})", where=path) from error


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MindrailError("no such file", where=path) from error
    except OSError as error:
        raise MindrailError(f"cannot be read ({error.strerror})", where=path) from error
    except ValueError as error:  # a null character in the name
        raise MindrailError(f"cannot be read ({error})", where=path) from error


def _too_large(path: Path, size: int, largest: int) -> MindrailError:
    return MindrailError(f"{size} bytes or more, where such a file has at most {largest}", where=path)
