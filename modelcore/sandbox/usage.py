"""The processor time, waiting time and memory that the processes of one sample have used, from /proc."""

# The worker does not load pathlib.
# ruff: noqa: PTH208

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Usage", "processes", "steal_time", "usage"]

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_NANOSECOND = 1e-9
_USER_TIME, _RESIDENT = 11, 21  # fields after the command name in /proc/<pid>/stat
_STEAL = 8  # field of a processor's row of /proc/stat
_MAXIMUM_THREADS = 256
_READ_BYTES = 1 << 16


@dataclass(frozen=True)
class Usage:
    """Sums over processes.

    Args:
        running: seconds of processor time.
        waiting: seconds spent ready to run while the processor ran something else.
        memory: resident bytes; pages shared by several processes count for each.
        processes: number of processes that still exist.
    """

    running: float
    waiting: float
    memory: int
    processes: int


def processes(table: int) -> set[int]:
    """Return the ids in the /proc directory open as descriptor `table`."""
    return {int(name) for name in os.listdir(table) if name.isdigit()}


def usage(table: int, pids: Iterable[int]) -> Usage:
    """Return what `pids` have used; those that have ended are not counted."""
    running = waiting = 0.0
    memory = count = 0
    for pid in pids:
        try:
            fields = _read(table, f"{pid}/stat").rpartition(b")")[2].split()
            waiting += _waiting(table, pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        user, system, child_user, child_system = map(int, fields[_USER_TIME : _USER_TIME + 4])
        running += (user + system + child_user + child_system) * _TICK
        memory += int(fields[_RESIDENT]) * _PAGE
        count += 1
    return Usage(running, waiting, memory, count)


def steal_time(table: int) -> float:
    """Return the steal time, in seconds since boot, of the processor that has most of it.

    Steal time is time in which the host ran another guest although this one was ready to run.
    """
    rows = [line.split() for line in _read(table, "stat").splitlines() if line.startswith(b"cpu")]
    return max(int(row[_STEAL]) for row in rows[1:]) * _TICK


def _waiting(table: int, pid: int) -> float:
    descriptor = os.open(f"{pid}/task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=table)
    try:
        threads = os.listdir(descriptor)[:_MAXIMUM_THREADS]
    finally:
        os.close(descriptor)
    total = 0.0
    for thread in threads:
        try:
            total += int(_read(table, f"{pid}/task/{thread}/schedstat").split()[1]) * _NANOSECOND
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def _read(table: int, path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY, dir_fd=table)
    try:
        return os.read(descriptor, _READ_BYTES)
    finally:
        os.close(descriptor)
