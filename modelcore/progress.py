"""How long-running work reports its progress, within a process and to another one.

A step calls its `Progress` as often as it likes; what shows it (a bar, the dashboard, a watchdog) decides how
often to read it. Nothing here draws.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

__all__ = ["PAUSES", "FileProgress", "Progress", "read_progress", "silent"]

PAUSES = ("reading", "compiling", "saving", "validating")
"""How the notes begin with which a program says that what comes next is no step, and may take much longer."""


class Progress(Protocol):
    """Called with the work done so far, the total (None while unknown) and the unit of both."""

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        """Report progress; `note` is a few words to show beside the bar."""


def silent(done: float, total: float | None, unit: str, note: str = "") -> None:
    """Report nothing."""


class FileProgress:
    """Progress that another process can read: a small JSON file, replaced as a whole at each call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scratch = path.with_name(path.name + ".new")

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        """Replace the file, so that a reader sees the old state or the new one."""
        self._scratch.write_text(json.dumps({"done": done, "total": total, "unit": unit, "note": note}))
        self._scratch.replace(self._path)


def read_progress(path: Path) -> tuple[float, float | None, str, str] | None:
    """Return (done, total, unit, note) as last written by a `FileProgress`, or None before the first call."""
    try:
        state = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return state["done"], state["total"], state["unit"], state["note"]
