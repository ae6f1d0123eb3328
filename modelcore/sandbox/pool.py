"""Workers that execute samples in parallel, and the choice of the isolation level they use.

One thread of the caller serves all workers. A worker that dies is replaced and its sample tried once more;
the caller never forks.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from modelcore.errors import MindrailError, StepFailed
from modelcore.sandbox import scratch, verdicts
from modelcore.sandbox.configuration import Configuration
from modelcore.sandbox.isolation import LEVELS, in_namespaces
from modelcore.sandbox.limits import DEFAULT_LIMITS, Limits
from modelcore.sandbox.sample import Sample
from modelcore.sandbox.verdicts import Outcome, outcome
from modelcore.sandbox.visible_files import visible_files
from modelcore.sandbox.wire import ChannelClosed, readable
from modelcore.sandbox.worker_process import Job, Unavailable, WorkerProcess

__all__ = ["Pool"]

_POLL_SECONDS = 1.0
_ATTEMPTS = 2
_WORKERS_PER_PROCESS = 64


class Pool:
    """A context manager that holds the workers.

    Args:
        workers: number of samples that run at a time.
        limits: of each sample.
        minimum: the weakest acceptable isolation level (one of `LEVELS`); any, if None.
        level: the isolation level to use; the strongest that works, if None.
        scratch_directory: where completions write at the weakest level; a temporary one, if None.

    Attributes:
        level: the isolation level in use.

    Raises:
        MindrailError: no acceptable level works here; the message says why not.

    Example:
        >>> with Pool(workers=2) as pool:
        ...     outcomes = dict(pool.run(enumerate(samples)))
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
        self._visible = visible_files(limits.packages)
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
        """End all workers and what they run, and remove their scratch directories."""
        self._end_workers()
        for directory in self._scratch.glob("worker-*"):
            scratch.empty(str(directory))
            directory.rmdir()
        if self._temporary is not None:
            self._temporary.cleanup()

    def run(self, samples: Iterable[tuple[int, Sample]]) -> Iterator[tuple[int, Outcome]]:
        """Yield (number, outcome) for every (number, sample), in the order in which they finish."""
        waiting: deque[Job] = deque()
        source = iter(samples)
        while True:
            for worker in self._workers:
                self._feed(worker, waiting, source)
            busy = [worker for worker in self._workers if worker.jobs]
            if not busy:
                return
            for worker in _ready(busy):
                yield from self._collect(worker, waiting)

    def _feed(self, worker: WorkerProcess, waiting: deque[Job], source: Iterator[tuple[int, Sample]]) -> None:
        """Send an idle worker a job, and a second one to start on as soon as the first is done."""
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
                return  # handled where its answer is read
            waiting.popleft()

    def _collect(self, worker: WorkerProcess, waiting: deque[Job]) -> Iterator[tuple[int, Outcome]]:
        try:
            job, result = worker.receive()
        except ChannelClosed:
            yield from self._replace(worker, waiting)
        else:
            yield job.number, result

    def _replace(self, worker: WorkerProcess, waiting: deque[Job]) -> Iterator[tuple[int, Outcome]]:
        """Replace a dead worker; its current sample is tried once more, then counts as killed."""
        current, *others = worker.jobs
        current.attempts += 1
        worker.close()
        replacement = WorkerProcess(worker.configuration)
        self._workers[self._workers.index(worker)] = replacement
        _require(replacement)
        waiting.extendleft(reversed(others))
        if current.attempts < _ATTEMPTS:
            waiting.appendleft(current)
        else:
            yield current.number, outcome(verdicts.KILLED, "together with its worker process")

    def _start_strongest(self, levels: list[str], count: int) -> None:
        """Start all workers, in parallel, at the first level that works."""
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
                _require(worker)
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
        return WorkerProcess(
            Configuration(
                parent=os.getpid(),
                number=os.getpid() * _WORKERS_PER_PROCESS + number,
                level=level,
                scratch=str(directory.resolve()),
                visible=self._visible,
                limits=self._limits,
            )
        )

    def _end_workers(self) -> None:
        while self._workers:
            self._workers.pop().close()


def _require(worker: WorkerProcess) -> None:
    """Wait until a worker is ready whose level works for others."""
    try:
        worker.check()
    except Unavailable as unavailable:
        raise StepFailed(f"a worker for running completions did not start: {unavailable}") from unavailable


def _candidates(minimum: str | None, level: str | None) -> list[str]:
    """Return the levels to try, strongest first.

    Root does not use a user namespace: the kernel's limit on processes would treat it as root there too.
    """
    for name in (minimum, level):
        if name is not None and name not in LEVELS:
            raise MindrailError(f"isolation level {name!r} does not exist", fix=f"use {' or '.join(LEVELS)}")
    usable = ["landlock", "namespaces" if os.geteuid() == 0 else "user_namespaces"]
    if level is not None and level not in usable:
        raise MindrailError(f"isolation level {level} is not for this user", fix=f"use {' or '.join(usable)}")
    if level is not None:
        return [level]
    lowest = LEVELS.index(minimum) if minimum is not None else 0
    return [name for name in reversed(usable) if LEVELS.index(name) >= lowest]


def _ready(workers: list[WorkerProcess]) -> list[WorkerProcess]:
    """Return the workers that have answered or ended, or else those that have been silent for too long."""
    ready = readable([worker.output for worker in workers], _POLL_SECONDS)
    answered = [worker for worker in workers if worker.output in ready]
    return answered or [worker for worker in workers if worker.is_silent]
