"""Why a process failed: the one line of its log worth showing to a user.

Knows Python tracebacks, the stacks that Python's faulthandler writes on a fatal signal, and MindSpore's log
lines, which are mostly noise. Does not decide whether the input or the program was wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from modelcore.errors import escaped, one_line

__all__ = ["failure_reason", "last_line"]

_TAIL_BYTES = 64 * 1024
_LONGEST = 400
_NO_OUTPUT = "it wrote nothing"

# "[WARNING] DISTRIBUTED(7575,7f34b4e6eb80,python):2026-11-21-01:47:56.698.052 [file.cc:58] Function] text"
_MINDSPORE_NOISE = re.compile(r"\[(DEBUG|INFO|WARNING|TRACE)\] ?\w+\(\d+")
_MINDSPORE_PREFIX = re.compile(r"\[(ERROR|CRITICAL)\] ?\w+\(\d+,[^)]*\):\S+ \[[^\]]*\] \w+\] ")
_TRACEBACK = re.compile(r"^\s*(\+ )?(Exception Group )?Traceback \(most recent call last\):")
_CALL = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+),? in (?P<function>.+)$')
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(: .*)?$")
_FATAL = "Fatal Python error: "


def failure_reason(log: Path) -> str:
    """Return the last exception in the log and where it was raised, or else its last lines, on one line."""
    lines = _meaningful_lines(log)
    reason = _fatal_signal(lines) or _exception(lines) or " / ".join(line.strip() for line in lines[-3:])
    return _shorten(escaped(reason)) or _NO_OUTPUT


def last_line(log: Path) -> str:
    """Return the last line that is not MindSpore's own: the error line of a program that exits with 2."""
    return one_line(next(reversed(_meaningful_lines(log)), _NO_OUTPUT).strip())


def _meaningful_lines(log: Path) -> list[str]:
    with log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL_BYTES))
        text = stream.read().decode(errors="replace")
    lines = (line.rstrip() for line in re.split(r"[\r\n]+", text))
    return [_MINDSPORE_PREFIX.sub("", line) for line in lines if line and not _MINDSPORE_NOISE.match(line)]


def _exception(lines: Sequence[str]) -> str:
    """Return the last traceback as "ValueError: text (function at file.py:3)", or ""."""
    start = max((i for i, line in enumerate(lines) if _TRACEBACK.match(line)), default=None)
    if start is None:
        return ""
    calls = []
    for line in lines[start + 1 :]:
        if call := _CALL.match(line):
            calls.append(call)
        elif _EXCEPTION.match(line):
            return line + (f" ({_location(calls[-1])})" if calls else "")
    return ""


def _fatal_signal(lines: Sequence[str]) -> str:
    """Return a faulthandler report as "Fatal Python error: Aborted, in function at file.py:3 < …", or ""."""
    start = max((i for i, line in enumerate(lines) if line.startswith(_FATAL)), default=None)
    if start is None:
        return ""
    current = next(
        (i for i, line in enumerate(lines) if i > start and line.startswith("Current thread")), start
    )
    calls = [call for line in lines[current + 1 : current + 4] if (call := _CALL.match(line))]
    return lines[start] + (", in " + " < ".join(map(_location, calls)) if calls else "")


def _location(call: re.Match[str]) -> str:
    return f"{call['function']} at {Path(call['file']).name}:{call['line']}"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 2] + " …"
