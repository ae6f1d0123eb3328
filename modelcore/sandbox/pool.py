"""Workers that execute samples side by side, and the choice of the isolation they run under.

One thread of the caller looks after all workers. A worker that dies is replaced and its sample tried once
more; the caller never forks.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from modelcore.errors import MindrailError, StepFailed
from modelcore.sandbox import scratch, verdicts
from modelcore.sandbox.isolation import LEVELS, in_namespaces
from modelcore.sandbox.limits import DEFAULT_LIMITS, Limits
from modelcore.sandbox.trial import Trial
from modelcore.sandbox.verdicts import Outcome, outcome
from modelcore.sandbox.visible_files import sight_of
from modelcore.sandbox.wire import ChannelClosed, readable
from modelcore.sandbox.worker_process import Job, Unavailable, WorkerProcess

__all__ = ["Pool"]

_POLL_SECONDS = 1.0
_ATTEMPTS = 2


class Pool:
    """A context manager that holds the workers.

    Args:
        workers: how many samples run at a time.
        limits: of each sample.
        minimum: the weakest level of isolation that will do (one of `LEVELS`); any, if None.
        level: the one level to use; the strongest that works, if None.
        scratch_directory: for what only the weakest level needs; a temporary one, if None.

    Raises:
        MindrailError: no level from `minimum` up works here; says why not.

    Example:
        >>> with Pool(workers=2) as pool:
        ...     outcomes = dict(pool.run(enumerate(trials)))
    """

    def __init__(
        self,
        *,
        workers: int,
        limits: Limits = DEFAULT_LIMITS,
        minimum: str | None = None,
        level: str | None = None,
        scratch_directory: Path | None = None,
    ) -> None:
        self._limits = limits
        self._temporary = None
        if scratch_directory is None:
            self._temporary = tempfile.TemporaryDirectory()
            scratch_directory = Path(self._temporary.name)
        self._scratch = scratch_directory
        self._sight = dataclasses.asdict(sight_of(limits.packages))
        self._workers: list[WorkerProcess] = []
        self.level = ""
        try:
            self._start_strongest(_candidates(minimum, level), workers)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers and what they run."""
        self._end_workers()
        self._clean()

    def _end_workers(self) -> None:
        while self._workers:
            self._workers.pop().close()

    def _clean(self) -> None:
        for directory in self._scratch.glob("worker-*"):
            scratch.empty(str(directory))
            directory.rmdir()
        if self._temporary is not None:
            self._temporary.cleanup()

    def run(self, trials: Iterable[tuple[int, Trial]]) -> Iterator[tuple[int, Outcome]]:
        """Yield (number, outcome) of every (number, trial), in the order in which they finish."""
        waiting: deque[Job] = deque()
        source = iter(trials)
        while True:
            for worker in self._workers:
                self._feed(worker, waiting, source)
            busy = [worker for worker in self._workers if worker.jobs]
            if not busy:
                return
            for worker in _readable(busy):
                yield from self._collect(worker, waiting)

    def _feed(self, worker: WorkerProcess, waiting: deque[Job], source: Iterator[tuple[int, Trial]]) -> None:
        """Give an idle worker a job, and a second one to begin at once when it is done with the first."""
        while not worker.jobs or (len(worker.jobs) == 1 and worker.jobs[0].is_small):
            if not waiting:
                following = next(source, None)
                if following is None:
                    return
                waiting.append(Job(*following))
            if worker.jobs and not waiting[0].is_small:
                return
            try:
                worker.send(waiting[0])
            except ChannelClosed:
                return  # noticed and handled where its answer is read
            waiting.popleft()

    def _collect(self, worker: WorkerProcess, waiting: deque[Job]) -> Iterator[tuple[int, Outcome]]:
        try:
            answer = worker.receive()
        except ChannelClosed:
            yield from self._replace(worker, waiting)
            return
        job = worker.jobs.popleft()
        worker.since = time.monotonic()
        if "broken" in answer:
            raise StepFailed(f"the isolation of a sample could not be set up: {answer['broken']}")
        yield job.number, Outcome(answer["verdict"], answer["reason"])

    def _replace(self, worker: WorkerProcess, waiting: deque[Job]) -> Iterator[tuple[int, Outcome]]:
        """Start another worker for a dead one; the sample it was at is tried once more, then given up."""
        blamed, *others = worker.jobs
        blamed.attempts += 1
        worker.close()
        self._workers[self._workers.index(worker)] = _checked(self._start(worker.number, self.level))
        waiting.extendleft(reversed(others))
        if blamed.attempts < _ATTEMPTS:
            waiting.appendleft(blamed)
        else:
            yield blamed.number, outcome(verdicts.KILLED, "with the worker it ran in")

    def _start_strongest(self, levels: list[str], count: int) -> None:
        """Start all workers at the first level that works; they come up side by side."""
        reasons = []
        for level in levels:
            self._workers = [self._start(number, level) for number in range(count)]
            try:
                self._workers[0].check()
            except Unavailable as unavailable:
                reasons.append(f"{level}: {unavailable}")
                self._end_workers()
                continue
            for worker in self._workers[1:]:
                _checked(worker)
            self.level = level
            return
        raise MindrailError(
            f"no isolation good enough for running completions ({'; '.join(reasons)})",
            fix="run as root, allow user namespaces, or accept a lower level with --require-isolation",
        )

    def _start(self, number: int, level: str) -> WorkerProcess:
        directory = self._scratch / f"worker-{number}"
        if not in_namespaces(level):
            directory.mkdir(parents=True, exist_ok=True)
        configuration = {
            "parent": os.getpid(),
            "level": level,
            "number": os.getpid() * 64 + number,
            "scratch": str(directory.resolve()),
            "sight": self._sight,
            "limits": dataclasses.asdict(self._limits),
        }
        return WorkerProcess(number, level, configuration, self._limits.seconds)


def _checked(worker: WorkerProcess) -> WorkerProcess:
    """Return the worker when it is ready; others at its level have been."""
    try:
        worker.check()
    except Unavailable as unavailable:
        raise StepFailed(f"a worker for running completions did not start: {unavailable}") from unavailable
    return worker


def _candidates(minimum: str | None, level: str | None) -> list[str]:
    """Return the levels to try, strongest first.

    Root in a user namespace would still be root to the kernel's limit on processes.
    """
    for name in (minimum, level):
        if name is not None and name not in LEVELS:
            raise MindrailError(f"isolation level {name!r}, known are {', '.join(LEVELS)}")
    usable = ["landlock", "namespaces" if os.geteuid() == 0 else "user_namespaces"]
    if level is not None and level not in usable:
        raise MindrailError(f"isolation level {level} for this user", fix=f"use {' or '.join(usable)}")
    if level is not None:
        return [level]
    lowest = LEVELS.index(minimum) if minimum is not None else 0
    return [name for name in reversed(usable) if LEVELS.index(name) >= lowest]


def _readable(workers: list[WorkerProcess]) -> list[WorkerProcess]:
    """Return the workers that have something to say, or nothing any more, or nothing for too long."""
    ready = readable([worker.output for worker in workers], _POLL_SECONDS)
    answered = [worker for worker in workers if worker.output in ready]
    return answered or [worker for worker in workers if worker.is_silent]
