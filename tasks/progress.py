"""How long work shows itself: a bar on a terminal, a line now and then elsewhere. No Prefect here.

Everything goes to stderr, so that a command's stdout holds its result alone.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from modelcore import progress as telling
from tasks.rate import Pace, time_left

__all__ = ["say", "say_wait", "shown_progress"]

_LINE_EVERY = 10.0  # seconds between two lines where there is no terminal

_console = Console(stderr=True, soft_wrap=True, highlight=False)


def say(line: str) -> None:
    """Print one line for the person watching."""
    _console.print(line, markup=False)


def say_wait(seconds: float) -> None:
    """Tell that a server asked to wait."""
    say(f"the server is busy and asks to wait {seconds:.0f} s")


@contextlib.contextmanager
def shown_progress(title: str, *others: telling.Progress) -> Iterator[telling.Progress]:
    """Yield a `Progress` that shows itself on stderr and tells `others` too."""
    with contextlib.ExitStack() as stack:
        watchers: list[telling.Progress] = [*others]
        if _console.is_terminal:
            watchers.append(_Bar(title, stack))
        else:
            watchers.append(_Lines(title))

        def tell(done: float, total: float | None, unit: str, note: str = "") -> None:
            for watcher in watchers:
                watcher(done, total, unit, note)

        yield tell


class _Bar:
    """A bar with amount, rate and time left; it goes away when the step ends."""

    def __init__(self, title: str, stack: contextlib.ExitStack) -> None:
        columns = (
            TextColumn("{task.description:<16}"),
            BarColumn(bar_width=14),
            TextColumn("{task.fields[told]}"),  # one column: what is most worth knowing stands first
        )
        bar = Progress(*columns, console=_console, transient=True)
        self._bar = stack.enter_context(bar)
        self._task: TaskID = bar.add_task(title, total=None, told="")
        self._pace = Pace()

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        rate = self._pace.rate(done, time.monotonic())
        self._bar.update(self._task, completed=done, total=total, told=_told(done, total, unit, rate, note))


class _Lines:
    """The same as a line of text every few seconds."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._told = time.monotonic()
        self._pace = Pace()

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        now = time.monotonic()
        rate = self._pace.rate(done, now)
        if now - self._told < _LINE_EVERY:
            return
        self._told = now
        say(f"{self._title}:  {_told(done, total, unit, rate, note)}")


def _told(done: float, total: float | None, unit: str, rate: float | None, note: str) -> str:
    return "  ".join(filter(None, [_amount(done, total, unit, rate), time_left(done, total, rate), note]))


def _amount(done: float, total: float | None, unit: str, rate: float | None) -> str:
    whole = f"/{_short(total)}" if total else ""
    return f"{_short(done)}{whole} {unit}{f'  {_short(rate)} {unit}/s' if rate else ''}"


def _short(number: float) -> str:
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 10 * limit or (number >= limit and suffix != "k"):
            return f"{number / limit:.1f}{suffix}"
    return f"{number:.0f}" if number >= 100 or number == int(number) else f"{number:.1f}"
