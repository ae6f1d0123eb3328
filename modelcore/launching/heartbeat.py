"""Whether a group of processes still makes progress, by the progress files they write."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from modelcore.progress import PAUSES, Progress, read_progress

__all__ = ["Heartbeat"]


_REMEMBERED = 100
_ENOUGH = 10
_SHORTEST_S = 60.0  # a disk or a network may stop for a while


class Heartbeat:
    """Follows progress files written by other processes (see `FileProgress`) and passes the first one's on.

    Args:
        files: one for each process; a file that does not exist yet is a process that has not reported.
        progress: called with each new state of the first file.
    """

    def __init__(self, files: Sequence[Path], progress: Progress) -> None:
        self._files = files
        self._progress = progress
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._steps: deque[float] = deque(maxlen=_REMEMBERED)  # seconds that one step took
        self._last: tuple[float, float] | None = None  # steps done, and when; None in a pause

    @property
    def has_started(self) -> bool:
        """Whether any process has reported yet."""
        return bool(self._stamps)

    def check(self) -> bool:
        """Pass new progress on; return whether any process has reported since the last call."""
        new = [file for file in self._files if self._is_new(file)]
        if self._files[0] in new and (state := read_progress(self._files[0])):
            self._time(state[0], state[3])
            self._progress(*state)
        return bool(new)

    def allowed(self, longest: float, steps: int | None) -> float:
        """Return for how many seconds nothing needs to be reported now.

        Args:
            longest: seconds, whatever the processes do.
            steps: while the first process takes steps: as many of the median of its last ones, at least a
                minute; None for no such limit.
        """
        if steps is None or self._last is None or len(self._steps) < _ENOUGH:
            return longest
        return min(longest, max(_SHORTEST_S, steps * statistics.median(self._steps)))

    def _time(self, done: float, note: str) -> None:
        """Remember how long the last steps took; what is between a pause and the next step does not count."""
        now = time.monotonic()
        if note.startswith(PAUSES):
            self._last = None
            return
        if self._last is not None and done > self._last[0]:
            self._steps.append((now - self._last[1]) / (done - self._last[0]))
        self._last = (done, now)

    def describe(self) -> str:
        """Return how far the first process is, e.g. "12 of 40 steps (saving)"."""
        if (state := read_progress(self._files[0])) is None:
            return "the start"
        done, total, unit, note = state
        return f"{done:g}{'' if total is None else f' of {total:g}'} {unit}{note and f' ({note})'}"

    def _is_new(self, file: Path) -> bool:
        try:
            state = file.stat()
        except FileNotFoundError:
            return False
        # The file is replaced as a whole each time: two within one tick of the clock differ in their inodes.
        stamp = (state.st_mtime_ns, state.st_ino)
        known = self._stamps.get(file)
        self._stamps[file] = stamp
        return stamp != known
