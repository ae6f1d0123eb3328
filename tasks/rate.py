"""How fast work goes, and how long the rest of it takes."""

from __future__ import annotations

__all__ = ["Pace", "time_left"]


class Pace:
    """How fast work goes, counted from its first advance.

    What an earlier attempt had done, and the time before anything moves (a compile), do not count; work that
    falls back, as a job does that lost a rank, is counted anew.
    """

    def __init__(self) -> None:
        self._seen: float | None = None
        self._since: tuple[float, float] | None = None

    def rate(self, done: float, now: float) -> float | None:
        """Take note of what is done at the time `now` in seconds; return units a second, None if unknown."""
        if self._seen is None or done < self._seen:
            self._since = None
        elif self._since is None and done > self._seen:
            self._since = (done, now)
        self._seen = done
        if self._since is None or now <= self._since[1] or done == self._since[0]:
            return None
        return (done - self._since[0]) / (now - self._since[1])


def time_left(done: float, total: float | None, rate: float | None) -> str:
    """Return how long the rest takes at `rate` units a second, in words; nothing while that is not known."""
    if not total or not rate:
        return ""
    minutes, seconds = divmod(round((total - done) / rate), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min left"
    return f"{minutes} min {seconds} s left" if minutes else f"{seconds} s left"
