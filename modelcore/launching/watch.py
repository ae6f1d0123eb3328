"""Watching a group of processes that only make sense together: they all end well, or all end now.

The end of a process is heard at once; progress and clocks are looked at several times a second. Knows nothing
of ranks, ports or MindSpore.
"""

from __future__ import annotations

import selectors
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

from modelcore.errors import MindrailError, StepFailed
from modelcore.launching.failure_reason import last_line
from modelcore.launching.heartbeat import Pulse
from modelcore.launching.process import LeashedProcess, stop_all

__all__ = ["DidNotStart", "Watch"]

_LOOK_EVERY_S = 0.1
_STACKS_WITHIN_S = 1.0
_BAD_INPUT = MindrailError.exit_code


class DidNotStart(StepFailed):
    """The group hung, or lost a helper, before it reported any progress: nothing was done yet."""


@dataclass(frozen=True)
class Watch:
    """A group of running processes and the patience one has with them.

    Args:
        workers: the processes that do the work.
        helpers: processes that the workers need; killed when the workers have ended.
        pulse: tells whether the workers move.
        start_timeout: seconds until the first progress.
        hang_timeout: from then on, seconds without a new progress or the good end of a worker.
    """

    workers: Sequence[LeashedProcess]
    helpers: Sequence[LeashedProcess]
    pulse: Pulse
    start_timeout: float
    hang_timeout: float

    def wait(self) -> None:
        """Return when all workers have exited with 0.

        However this returns or raises, nothing is left of the processes nor of anything they started.

        Raises:
            MindrailError: a worker refused its input (exit code 2); the message is the last line of its log.
            StepFailed: a process died, or nothing moved for `hang_timeout`; named, with its last words.
            DidNotStart: the same, while nothing had been done.
        """
        try:
            self._wait()
        finally:
            stop_all([*self.workers, *self.helpers])

    def _wait(self) -> None:
        begun = last_sign = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for process in (*self.workers, *self.helpers):
                selector.register(process, selectors.EVENT_READ)
            while self._running():
                ended = _bury_ended(selector, _LOOK_EVERY_S)
                now = time.monotonic()
                if self.pulse.beats() or any(process in self.workers for process in ended):
                    last_sign = now
                if failed := [process for process in ended if process.returncode != 0]:
                    raise self._death(failed, now - begun)
                if self._running() and now - last_sign > self._patience():
                    raise self._hang(selector)

    def _running(self) -> list[LeashedProcess]:
        return [worker for worker in self.workers if worker.returncode is None]

    def _patience(self) -> float:
        return self.hang_timeout if self.pulse.begun else self.start_timeout

    def _death(self, failed: Sequence[LeashedProcess], after_s: float) -> MindrailError:
        # Of several that died in the same moment a refusal says most, then what came from outside (a signal);
        # a helper follows the workers.
        process = min(
            failed, key=lambda p: (p in self.helpers, p.returncode != _BAD_INPUT, (p.returncode or 0) > 0)
        )
        if process in self.workers and process.returncode == _BAD_INPUT:
            return MindrailError(last_line(process.log))
        kind = DidNotStart if process in self.helpers and not self.pulse.begun else StepFailed
        return kind(
            f"{process.name} died ({_how(process)}) after {after_s:.0f} s: {process.last_words()}",
            fix=f"its log is {process.log}",
        )

    def _hang(self, selector: selectors.BaseSelector) -> StepFailed:
        where, patience = self.pulse.where(), self._patience()
        kind = StepFailed if self.pulse.begun else DidNotStart
        hung = self._running()
        finished = [worker.name for worker in self.workers if worker.returncode == 0]
        _ask_for_stacks(hung, selector)
        words = "; ".join(f"{process.name}: {process.last_words()}" for process in hung)
        ended = f", though {', '.join(finished)} had finished" if finished else ""
        return kind(
            f"nothing moved for {patience:g} s after {where}{ended}; {words}", fix=f"see {hung[0].log.parent}"
        )


def _bury_ended(selector: selectors.BaseSelector, timeout: float) -> list[LeashedProcess]:
    ended = []
    for key, _ in selector.select(timeout):
        process = key.fileobj
        assert isinstance(process, LeashedProcess)
        selector.unregister(process)
        process.bury()
        ended.append(process)
    return ended


def _ask_for_stacks(processes: Sequence[LeashedProcess], selector: selectors.BaseSelector) -> None:
    """Make hung processes abort with their stacks in their logs, as far as they still can."""
    for process in processes:
        process.say_where_you_are()
    deadline = time.monotonic() + _STACKS_WITHIN_S
    while any(process.returncode is None for process in processes) and time.monotonic() < deadline:
        _bury_ended(selector, _STACKS_WITHIN_S)


def _how(process: LeashedProcess) -> str:
    code = process.returncode or 0
    if code >= 0:
        return f"exit code {code}"
    killer = signal.Signals(-code)
    hint = ": by hand, or out of memory" if killer == signal.SIGKILL else ""
    return f"killed by {killer.name}{hint}"
