"""Programs that leave processes behind, and the means to see whether any is left; no MindSpore."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

# Notes its own and its children's process ids in the directory argv[1]: one child in the same process group,
# and one that moved to a session of its own and lost its parent; both sleep.
FAMILY = """
import os, pathlib, sys, time
noted, note_end = os.pipe()
def note(name):
    (pathlib.Path(sys.argv[1]) / f"{os.getpid()}.{name}").touch()
    os.write(note_end, b".")
if os.fork() == 0:
    note("child"); time.sleep(1000); os._exit(0)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        note("daemon"); time.sleep(1000)
    os._exit(0)
os.wait()
note("parent")
for _ in range(3):
    os.read(noted, 1)
"""
FAMILY_SIZE = 3
SLEEP = "import time; time.sleep(1000)"
TIMEOUT_S = 60.0
"""How long tests wait for what takes milliseconds on an idle machine."""


def family_pids(directory: Path, families: int = 1) -> list[int]:
    """Wait until `families` runs of FAMILY have noted all their processes and return their ids."""
    wait_until(lambda: len(list(directory.glob("*.*"))) == families * FAMILY_SIZE)
    return [int(note.stem) for note in directory.glob("*.*")]


def wait_until(condition: Callable[[], bool], *, within_s: float = TIMEOUT_S) -> None:
    """Return as soon as the condition holds, or fail."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def still_alive(pids: Iterable[int]) -> list[int]:
    """Return those of `pids` that are a process and not a zombie."""
    return [pid for pid in pids if _state(pid) not in ("", "Z", "X")]


def wait_until_gone(pids: Iterable[int]) -> None:
    """Return as soon as none of `pids` is alive, or fail naming those that remain."""
    deadline = time.monotonic() + TIMEOUT_S
    while left := still_alive(pids):
        assert time.monotonic() < deadline, f"still alive: {left}"
        time.sleep(0.005)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
