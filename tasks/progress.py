"""How progress is shown: a bar on a terminal, a line every few seconds elsewhere. No Prefect here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich import progress as rich_progress

from modelcore.progress import Progress
from tasks.log import stderr

__all__ = ["Speed", "in_words", "shown_progress", "time_left"]

_LINE_EVERY = 10.0  # seconds between two lines where there is no terminal


@contextlib.contextmanager
def shown_progress(title: str, *others: Progress) -> Iterator[Progress]:
    """Yield a `Progress` that is shown on stderr and passed on to `others`."""
    with contextlib.ExitStack() as stack:
        shown = _Bar(title, stack) if stderr.is_terminal else _Lines(title)

        def report(done: float, total: float | None, unit: str, note: str = "") -> None:
            for progress in (*others, shown):
                progress(done, total, unit, note)

        yield report


class _Bar:
    """A bar with amount, speed and time left; it goes away when the step ends."""

    def __init__(self, title: str, stack: contextlib.ExitStack) -> None:
        columns = (
            rich_progress.TextColumn("{task.description:<16}"),
            rich_progress.BarColumn(bar_width=14),
            rich_progress.TextColumn("{task.fields[text]}"),  # one column: a narrow terminal cuts its end
        )
        bar = rich_progress.Progress(*columns, console=stderr, transient=True)
        self._bar = stack.enter_context(bar)
        self._task = bar.add_task(title, total=None, text="")
        self._speed = Speed()

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        speed = self._speed.update(done, time.monotonic())
        text = in_words(done, total, unit, speed, note)
        self._bar.update(self._task, completed=done, total=total, text=text)


class _Lines:
    """The same as a line of text every few seconds."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._printed = time.monotonic()
        self._speed = Speed()

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        now = time.monotonic()
        speed = self._speed.update(done, now)
        if now - self._printed < _LINE_EVERY:
            return
        self._printed = now
        stderr.print(f"{self._title}:  {in_words(done, total, unit, speed, note)}", markup=False)


class Speed:
    """How fast work is done, from its first advance on.

    What an earlier attempt had done, and the time before anything moves (a compile), do not count; where work
    falls back, as a job does that lost a rank, counting starts again.
    """

    def __init__(self) -> None:
        self._last: float | None = None
        self._since: tuple[float, float] | None = None

    def update(self, done: float, now: float) -> float | None:
        """Record what is done at the time `now` in seconds; return units a second, None if unknown."""
        if self._last is None or done < self._last:
            self._since = None
        elif self._since is None and done > self._last:
            self._since = (done, now)
        self._last = done
        if self._since is None or now <= self._since[1] or done == self._since[0]:
            return None
        return (done - self._since[0]) / (now - self._since[1])


def time_left(done: float, total: float | None, speed: float | None) -> str:
    """Return how long the rest takes at `speed` units a second, in words; nothing while that is unknown."""
    if not total or not speed:
        return ""
    minutes, seconds = divmod(round((total - done) / speed), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min left"
    return f"{minutes} min {seconds} s left" if minutes else f"{seconds} s left"


def in_words(done: float, total: float | None, unit: str, speed: float | None, note: str) -> str:
    """Return amount, speed, time left and note on one line; what is not known is left out."""
    return "  ".join(filter(None, [_amount(done, total, unit, speed), time_left(done, total, speed), note]))


def _amount(done: float, total: float | None, unit: str, speed: float | None) -> str:
    whole = f"/{_short(total)}" if total else ""
    return f"{_short(done)}{whole} {unit}{f'  {_short(speed)} {unit}/s' if speed else ''}"


def _short(number: float) -> str:
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 10 * limit or (number >= limit and suffix != "k"):
            return f"{number / limit:.1f}{suffix}"
    return f"{number:.0f}" if number >= 100 or number == int(number) else f"{number:.1f}"
