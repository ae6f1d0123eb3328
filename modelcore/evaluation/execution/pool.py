"""Workers that execute samples side by side, and the choice of the isolation they run under.

One thread of the caller looks after all workers. A worker that dies is replaced and its sample tried once
more; the caller never forks.
"""

from __future__ import annotations

import dataclasses
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from modelcore.errors import MindrailError, StepFailed
from modelcore.evaluation.execution import verdicts
from modelcore.evaluation.execution.isolation import LEVELS, in_namespaces
from modelcore.evaluation.execution.limits import DEFAULT_LIMITS, Limits
from modelcore.evaluation.execution.sight import sight_of
from modelcore.evaluation.execution.trial import Trial
from modelcore.evaluation.execution.verdicts import Outcome, outcome
from modelcore.evaluation.execution.wire import ChannelClosed, receive, send

__all__ = ["Pool"]

_REPLY_BYTES = 1 << 20
_START_SECONDS = 60.0
_SILENCE_SECONDS = 60.0
_WALL_FACTOR = 40
_POLL_SECONDS = 1.0
_AHEAD_CHARACTERS = 20_000
_ATTEMPTS = 2
_PROJECT = str(Path(__file__).parents[3])
_PROGRAM = (
    f"import sys; sys.path[0] = {_PROJECT!r}; from modelcore.evaluation.execution.worker import main; main()"
)
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # sets of strings iterate in the same order in every run
    "PYTHONUTF8": "1",
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_SELF_CHECK = Trial(
    program="import tempfile\ndef f(x):\n with tempfile.TemporaryFile() as t:\n  return t.write(x)\n",
    helpers="",
    test="def check(f):\n    assert f(b'abc') == 3\n",
    entry_point="f",
    seed="",
)


class Pool:
    """A context manager that holds the workers.

    Args:
        workers: how many samples run at a time.
        limits: of each sample.
        minimum: the weakest level of isolation that will do (one of `LEVELS`); any, if None.
        level: the one level to use; the strongest that works, if None.
        scratch: a directory for what only the weakest level needs; a temporary one, if None.

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
        scratch: Path | None = None,
    ) -> None:
        self._limits = limits
        self._temporary = tempfile.TemporaryDirectory() if scratch is None else None
        self._scratch = scratch if scratch is not None else Path(self._temporary.name)  # type: ignore[union-attr]
        self._sight = dataclasses.asdict(sight_of(limits.packages))
        first = self._strongest(_candidates(minimum, level))
        self.level = first.level
        self._workers = [first]
        try:
            self._workers += [self._start(number, self.level) for number in range(1, workers)]
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
        for worker in self._workers:
            worker.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def run(self, trials: Iterable[tuple[int, Trial]]) -> Iterator[tuple[int, Outcome]]:
        """Yield (number, outcome) of every (number, trial), in the order in which they finish."""
        waiting: deque[_Job] = deque()
        source = iter(trials)
        while True:
            for worker in self._workers:
                self._feed(worker, waiting, source)
            busy = [worker for worker in self._workers if worker.jobs]
            if not busy:
                return
            for worker in _readable(busy):
                yield from self._collect(worker, waiting)

    def _feed(self, worker: _Worker, waiting: deque[_Job], source: Iterator[tuple[int, Trial]]) -> None:
        """Give an idle worker a job, and a second one to begin at once when it is done with the first."""
        while not worker.jobs or (len(worker.jobs) == 1 and worker.jobs[0].is_small):
            if not waiting:
                following = next(source, None)
                if following is None:
                    return
                waiting.append(_Job(*following))
            if worker.jobs and not waiting[0].is_small:
                return
            try:
                worker.send(waiting[0])
            except ChannelClosed:
                return  # noticed and handled where its answer is read
            waiting.popleft()

    def _collect(self, worker: _Worker, waiting: deque[_Job]) -> Iterator[tuple[int, Outcome]]:
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

    def _replace(self, worker: _Worker, waiting: deque[_Job]) -> Iterator[tuple[int, Outcome]]:
        """Start another worker for a dead one; the sample it was at is tried once more, then given up."""
        blamed, *others = worker.jobs
        blamed.attempts += 1
        worker.close()
        self._workers[self._workers.index(worker)] = self._start(worker.number, self.level)
        waiting.extendleft(reversed(others))
        if blamed.attempts < _ATTEMPTS:
            waiting.appendleft(blamed)
        else:
            yield blamed.number, outcome(verdicts.KILLED, "with the worker it ran in")

    def _strongest(self, levels: list[str]) -> _Worker:
        reasons = []
        for level in levels:
            try:
                return self._start(0, level)
            except _Unavailable as unavailable:
                reasons.append(f"{level}: {unavailable}")
        raise MindrailError(
            f"no isolation good enough for running completions ({'; '.join(reasons)})",
            fix="run as root, allow user namespaces, or accept a lower level with --require-isolation",
        )

    def _start(self, number: int, level: str) -> _Worker:
        scratch = self._scratch / f"worker-{number}"
        if not in_namespaces(level):
            scratch.mkdir(parents=True, exist_ok=True)
        configuration = {
            "parent": os.getpid(),
            "level": level,
            "number": os.getpid() * 64 + number,
            "scratch": str(scratch.resolve()),
            "sight": self._sight,
            "limits": dataclasses.asdict(self._limits),
        }
        return _Worker(number, level, configuration, self._limits.seconds)


class _Unavailable(Exception):
    """A level of isolation does not work here; the message says why."""


@dataclasses.dataclass
class _Job:
    number: int
    trial: Trial
    attempts: int = 0

    @property
    def is_small(self) -> bool:
        """Whether it fits in a pipe beside another, so that sending it ahead never blocks."""
        return len(self.trial.program) + len(self.trial.helpers) + len(self.trial.test) < _AHEAD_CHARACTERS


class _Worker:
    """One worker process and the jobs it has been given."""

    def __init__(self, number: int, level: str, configuration: dict[str, Any], seconds: float) -> None:
        self.number = number
        self.level = level
        self.jobs: deque[_Job] = deque()
        self.since = time.monotonic()
        self._patience = _WALL_FACTOR * seconds + _SILENCE_SECONDS
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-s", "-B", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        try:
            self._check(configuration)
        except BaseException:
            self.close()
            raise

    @property
    def output(self) -> int:
        """The descriptor on which outcomes arrive."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def send(self, job: _Job) -> None:
        """Hand over a job; `jobs` remembers it even if the worker is gone."""
        if not self.jobs:
            self.since = time.monotonic()
        self.jobs.append(job)
        try:
            self._write(dataclasses.asdict(job.trial))
        except ChannelClosed:
            if len(self.jobs) > 1:
                self.jobs.pop()
                raise

    def receive(self) -> dict[str, Any]:
        """Read one outcome, or end the worker if it has been silent for too long."""
        ready = selectors.DefaultSelector()
        with ready:
            ready.register(self.output, selectors.EVENT_READ)
            if not ready.select(0):
                self._process.kill()
        answer: dict[str, Any] = receive(self.output, _REPLY_BYTES)
        return answer

    @property
    def is_silent(self) -> bool:
        """Whether it should have answered long ago."""
        return time.monotonic() - self.since > self._patience

    def close(self) -> None:
        """End the process; the kernel ends everything below it."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()
        self._errors.close()

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        send(self._process.stdin.fileno(), message)

    def _check(self, configuration: dict[str, Any]) -> None:
        """Have the worker set itself up and score a sample that passes."""
        try:
            self._write(configuration)
            answer = self._await()
            if "unavailable" in answer:
                raise _Unavailable(answer["unavailable"])
            self._write(dataclasses.asdict(_SELF_CHECK))
            answer = self._await()
        except ChannelClosed:
            raise _Unavailable(f"the worker ended at its start: {self._last_words()}") from None
        if answer.get("verdict") != verdicts.PASSED:
            raise _Unavailable(f"a sample that passes got {answer}: {self._last_words()}")

    def _await(self) -> dict[str, Any]:
        with selectors.DefaultSelector() as ready:
            ready.register(self.output, selectors.EVENT_READ)
            if not ready.select(_START_SECONDS):
                raise _Unavailable(f"no answer in {_START_SECONDS:.0f} s")
        answer: dict[str, Any] = receive(self.output, _REPLY_BYTES)
        return answer

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode(errors="replace").split("\n")
        return " ".join(lines[-3:]).strip()


def _candidates(minimum: str | None, level: str | None) -> list[str]:
    """Return the levels to try, strongest first."""
    for name in (minimum, level):
        if name is not None and name not in LEVELS:
            raise MindrailError(f"isolation level {name!r}, known are {', '.join(LEVELS)}")
    if level is not None:
        return [level]
    usable = LEVELS if os.geteuid() == 0 else [name for name in LEVELS if name != "namespaces"]
    return [
        name for name in reversed(usable) if minimum is None or LEVELS.index(name) >= LEVELS.index(minimum)
    ]


def _readable(workers: list[_Worker]) -> list[_Worker]:
    """Return the workers that have something to say, or nothing any more, or nothing for too long."""
    with selectors.DefaultSelector() as ready:
        for worker in workers:
            ready.register(worker.output, selectors.EVENT_READ, worker)
        answered = [key.data for key, _ in ready.select(_POLL_SECONDS)]
    return answered or [worker for worker in workers if worker.is_silent]
