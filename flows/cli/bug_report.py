"""Writes the report of a bug, an exception that no user can do anything about: its traceback, in a file."""

from __future__ import annotations

import platform
import sys
import tempfile
import traceback
from importlib.metadata import version
from pathlib import Path

__all__ = ["write_bug_report"]


def write_bug_report(error: BaseException) -> Path:
    """Write a new file in the directory for temporary files and return its path.

    It has the traceback, the command's name and the versions, no argument of the command: an address may have
    a password in it.

    Raises:
        OSError: it cannot be written.
    """
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    heading = (
        f"mindrail {version('mindrail')} {command}, Python {platform.python_version()}, {platform.platform()}"
    )
    trace = "".join(traceback.format_exception(error))
    with tempfile.NamedTemporaryFile(
        "w", prefix="mindrail-bug-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as file:
        file.write(f"{heading}\n\n{trace}")
    return Path(file.name)
