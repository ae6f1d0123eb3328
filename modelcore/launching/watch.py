"""Supervises a group of processes that only make sense together: all end well, or all are ended now.

The end of a process is noticed at once; progress, clocks and the caller's own condition are checked several
times a second. Knows nothing of ranks, ports or MindSpore.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelcore.errors import MindrailError, StepFailed
from modelcore.launching.failure_reason import last_line
from modelcore.launching.heartbeat import Heartbeat
from modelcore.launching.process import LeashedProcess, stop_all

__all__ = ["DidNotStart", "InputRefused", "ProcessFailed", "Watch", "always"]

_POLL_INTERVAL_S = 0.1
_STACKS_TIMEOUT_S = 1.0
_BAD_INPUT = MindrailError.exit_code


class InputRefused(MindrailError):
    """A worker exited with 2; the message is the last line of its log."""

    def __init__(self, process: LeashedProcess) -> None:
        super().__init__(last_line(process.log))
        self.process = process


class ProcessFailed(StepFailed):
    """A process died, or the group made no progress.

    Attributes:
        process: the one that explains it best; of a group that hangs, a stopped one if there is one.
        hung: whether the group hung; its processes were then made to abort.
    """

    def __init__(self, what: str, process: LeashedProcess, *, fix: str, hung: bool = False) -> None:
        super().__init__(what, fix=fix)
        self.process, self.hung = process, hung


class DidNotStart(ProcessFailed):
    """The group hung, or lost a helper, before it reported any progress: nothing was done yet."""


def always() -> None:
    """A condition that always holds."""


@dataclass(frozen=True)
class Watch:
    """A group of running processes and how long they may take.

    Args:
        workers: the processes that do the work.
        helpers: processes that the workers need; killed when the workers have ended.
        heartbeat: whether the workers make progress.
        start_timeout: seconds until the first progress.
        hang_timeout: from then on, seconds without new progress and without a worker's successful end.
        hang_steps: a limit below that while steps are taken, in steps; see `Heartbeat.allowed`.
        guard: called several times a second while the group runs; what it raises ends the group.
        stopped_timeout: seconds for which a worker may be stopped (SIGSTOP); less than MindSpore waits for a
            silent rank before it ends the others, which would then look as if they had failed.
    """

    workers: Sequence[LeashedProcess]
    helpers: Sequence[LeashedProcess]
    heartbeat: Heartbeat
    start_timeout: float
    hang_timeout: float
    hang_steps: int | None = None
    guard: Callable[[], None] = always
    stopped_timeout: float = 10.0

    def wait(self) -> None:
        """Return when all workers have exited with 0.

        However this returns or raises, nothing is left of the processes nor of anything they started.

        Raises:
            InputRefused: a worker refused its input (exit code 2); the message is the last line of its log.
            ProcessFailed: a process died, or there was no progress for `hang_timeout`; which, and why.
            DidNotStart: the same, while nothing had been done.
        """
        try:
            self._wait()
        finally:
            stop_all([*self.workers, *self.helpers])

    def _wait(self) -> None:
        started = last_progress = time.monotonic()
        stopped: dict[LeashedProcess, float] = {}  # since when
        with selectors.DefaultSelector() as selector:
            for process in (*self.workers, *self.helpers):
                selector.register(process, selectors.EVENT_READ)
            while self._running():
                ended = _reap_ended(selector, _POLL_INTERVAL_S)
                self.guard()
                now = time.monotonic()
                if self.heartbeat.check() or any(process in self.workers for process in ended):
                    last_progress = now
                if failed := [process for process in ended if process.returncode != 0]:
                    raise self._failure(failed, now - started)
                if self._running() and now - last_progress > self._timeout():
                    raise self._hang(selector)
                for worker in self._running():
                    self._check_stopped(worker, stopped, now)

    def _running(self) -> list[LeashedProcess]:
        return [worker for worker in self.workers if worker.returncode is None]

    def _timeout(self) -> float:
        if not self.heartbeat.has_started:
            return self.start_timeout
        return self.heartbeat.allowed(self.hang_timeout, self.hang_steps)

    def _check_stopped(self, worker: LeashedProcess, since: dict[LeashedProcess, float], now: float) -> None:
        """Refuse to wait for a worker that has been stopped for long: the others wait for it, too."""
        if not worker.is_stopped():
            since.pop(worker, None)
        elif (seconds := now - since.setdefault(worker, now)) > self.stopped_timeout:
            what = f"{worker.name} has been stopped (SIGSTOP) for {seconds:.0f} s"
            raise ProcessFailed(what, worker, fix=f"its log is {worker.log}", hung=True)

    def _failure(self, failed: Sequence[LeashedProcess], after_s: float) -> MindrailError:
        # Of several that died in the same moment a refusal explains most, then what came from outside
        # (a signal); a helper follows the workers.
        process = min(
            failed, key=lambda p: (p in self.helpers, p.returncode != _BAD_INPUT, (p.returncode or 0) > 0)
        )
        if process in self.workers and process.returncode == _BAD_INPUT:
            return InputRefused(process)
        kind = DidNotStart if process in self.helpers and not self.heartbeat.has_started else ProcessFailed
        how, why = process.exit_status(), process.failure_reason()
        return kind(
            f"{process.name} died ({how}) after {after_s:.0f} s: {why}",
            process,
            fix=f"its log is {process.log}",
        )

    def _hang(self, selector: selectors.BaseSelector) -> ProcessFailed:
        progress, timeout = self.heartbeat.describe(), self._timeout()
        kind = ProcessFailed if self.heartbeat.has_started else DidNotStart
        hung = self._running()
        culprit = next((process for process in hung if process.is_stopped()), hung[0])
        finished = [worker.name for worker in self.workers if worker.returncode == 0]
        _dump_stacks(hung, selector)
        reasons = "; ".join(f"{process.name}: {process.failure_reason()}" for process in hung)
        ended = f", though {', '.join(finished)} had finished" if finished else ""
        what = f"no progress for {timeout:g} s after {progress}{ended}; {reasons}"
        return kind(what, culprit, fix=f"see {hung[0].log.parent}", hung=True)


def _reap_ended(selector: selectors.BaseSelector, timeout: float) -> list[LeashedProcess]:
    ended = []
    for key, _ in selector.select(timeout):
        process = key.fileobj
        assert isinstance(process, LeashedProcess)
        selector.unregister(process)
        process.reap()
        ended.append(process)
    return ended


def _dump_stacks(processes: Sequence[LeashedProcess], selector: selectors.BaseSelector) -> None:
    """Make hung processes abort with their stacks in their logs, as far as they still can."""
    for process in processes:
        process.dump_stacks()
    deadline = time.monotonic() + _STACKS_TIMEOUT_S
    while any(process.returncode is None for process in processes) and time.monotonic() < deadline:
        _reap_ended(selector, _STACKS_TIMEOUT_S)
