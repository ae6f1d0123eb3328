"""Gives each job of this host cores or devices of its own: no two jobs get the same, others wait.

What is taken is locked by files, which the kernel unlocks however the job ends. They are in a directory of
this host and user (MINDRAIL_LOCKS names another; `off` lets jobs share): jobs of other users are not seen.
Jobs come in turn: one that waits for many is not overtaken by one that needs few.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.launching.rank_environment import cores_per_process
from modelcore.store.lock import locked

__all__ = ["Share", "cores_needed", "devices_of_host", "host_share"]

_LOCKS = "MINDRAIL_LOCKS"
_VISIBLE = "ASCEND_RT_VISIBLE_DEVICES"
_POLL_S = 0.5


@dataclass(frozen=True)
class Share:
    """What a job got: cores or devices, by number."""

    kind: str
    numbers: tuple[int, ...]

    def environment(self) -> dict[str, str]:
        """Return the variables by which its processes use these devices and no others."""
        if self.kind == "core" or self.numbers == tuple(range(len(self.numbers))):
            return {}
        return {_VISIBLE: ",".join(map(str, self.numbers))}


def devices_of_host(nodes: Path = Path("/dev")) -> list[int]:
    """Return the numbers of the Ascend devices that this process may use; none on a host without."""
    found = (re.fullmatch(r"davinci(\d+)", node.name) for node in nodes.glob("davinci*"))
    numbers = sorted(int(match[1]) for match in found if match)
    visible = os.environ.get(_VISIBLE)
    if visible is None or not numbers:
        return numbers
    return [int(number) for number in visible.split(",") if number.strip().isdigit()]


def cores_needed(processes: int) -> int:
    """Return how many cores so many processes use, of those that this process may use."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    each = int(threads) if threads.isdigit() else cores_per_process(processes)
    return max(1, min(processes * each, len(os.sched_getaffinity(0))))


@contextmanager
def host_share(
    kind: str, among: Sequence[int], count: int, holder: str, on_wait: Callable[[str], None]
) -> Iterator[Share]:
    """Hold `count` of the cores or devices while the block runs.

    Args:
        kind: `core` or `device`.
        among: their numbers.
        count: how many; all if there are not so many.
        holder: names this job to others that wait for it.
        on_wait: called once if this job has to wait, with the jobs that it waits for.
    """
    directory = _directory()
    if directory is None:
        yield Share(kind, tuple(among[:count]))
        return
    count = min(count, len(among))
    with ExitStack() as held:
        with locked(directory / f"{kind}.turn", on_busy=lambda: on_wait(_holders(directory, kind, among))):
            numbers = _take(directory, kind, among, count, holder, held, on_wait)
        yield Share(kind, numbers)


def _take(
    directory: Path,
    kind: str,
    among: Sequence[int],
    count: int,
    holder: str,
    held: ExitStack,
    on_wait: Callable[[str], None],
) -> tuple[int, ...]:
    """Lock the first `count` that are free, and wait until there are so many."""
    taken: list[int] = []
    waited = False
    while True:
        for number in among:
            wanted = len(taken) < count and number not in taken
            if wanted and _lock(directory / f"{kind}.{number}", holder, held):
                taken.append(number)
        if len(taken) == count:
            return tuple(sorted(taken))
        if not waited:
            waited = True
            on_wait(_holders(directory, kind, [number for number in among if number not in taken]))
        time.sleep(_POLL_S)


def _lock(path: Path, holder: str, held: ExitStack) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    os.ftruncate(descriptor, 0)
    os.write(descriptor, holder.encode())
    held.callback(os.close, descriptor)
    return True


def _holders(directory: Path, kind: str, numbers: Sequence[int]) -> str:
    names = []
    for number in numbers:
        with suppress(FileNotFoundError):
            names.append((directory / f"{kind}.{number}").read_text())
    return ", ".join(dict.fromkeys(filter(None, names))) or "another job"


def _directory() -> Path | None:
    """Return the directory of the locks, which belongs to this user alone; None if jobs may share."""
    chosen = os.environ.get(_LOCKS)
    if chosen == "off":
        return None
    directory = Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"mindrail-locks-{os.getuid()}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        fix = f"name another directory with {_LOCKS}, or let jobs share with {_LOCKS}=off"
        raise MindrailError("belongs to another user", where=directory, fix=fix)
    return directory
