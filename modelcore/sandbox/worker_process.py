"""One worker process as its caller sees it: started clean, given jobs, asked for outcomes, ended."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

from modelcore.sandbox import verdicts
from modelcore.sandbox.trial import Trial
from modelcore.sandbox.wire import ChannelClosed, readable, receive, send

__all__ = ["Job", "Unavailable", "WorkerProcess"]

_REPLY_BYTES = 1 << 20
_START_SECONDS = 60.0
_SILENCE_SECONDS = 60.0
_WALL_FACTOR = 40
_AHEAD_CHARACTERS = 20_000
_PROJECT = str(Path(__file__).parents[2])
_PROGRAM = f"import sys; sys.path[0] = {_PROJECT!r}; from modelcore.sandbox.start import main; main()"
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # sets of strings iterate in the same order in every run
    "PYTHONUTF8": "1",
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_SELF_CHECK = Trial(  # reads a library that is not loaded yet, writes a file, answers
    program="import unicodedata\ndef f(x):\n with open('scratch', 'wb') as file:\n  return file.write(x)\n",
    helpers="",
    test="def check(f):\n    assert f(b'abc') == 3\n",
    entry_point="f",
    seed="",
)


class Unavailable(Exception):
    """A level of isolation does not work here; the message says why."""


@dataclasses.dataclass
class Job:
    """A sample to score, the number its outcome is reported under, and how often it was tried."""

    number: int
    trial: Trial
    attempts: int = 0

    @property
    def is_small(self) -> bool:
        """Whether it fits in a pipe beside another, so that sending it ahead never blocks."""
        return len(self.trial.program) + len(self.trial.helpers) + len(self.trial.test) < _AHEAD_CHARACTERS


class WorkerProcess:
    """One worker process and the jobs it has been given. Started at once; usable after `check`."""

    def __init__(self, number: int, level: str, configuration: dict[str, Any], seconds: float) -> None:
        self.number = number
        self.level = level
        self.jobs: deque[Job] = deque()
        self.since = time.monotonic()
        self._patience = _WALL_FACTOR * seconds + _SILENCE_SECONDS
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-s", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**_ENVIRONMENT, **_loader_path()},
            cwd="/",
            start_new_session=True,
        )
        with contextlib.suppress(ChannelClosed):  # noticed by `check`
            self._write(configuration)
            self._write(vars(_SELF_CHECK))

    @property
    def output(self) -> int:
        """The descriptor on which outcomes arrive."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def send(self, job: Job) -> None:
        """Hand over a job; `jobs` remembers it even if the worker is gone."""
        if not self.jobs:
            self.since = time.monotonic()
        self.jobs.append(job)
        try:
            self._write(vars(job.trial))
        except ChannelClosed:
            if len(self.jobs) > 1:
                self.jobs.pop()
                raise

    def receive(self) -> dict[str, Any]:
        """Read one outcome, or end the worker if it has been silent for too long."""
        if not readable([self.output], 0):
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

    def check(self) -> None:
        """Wait until the worker is set up and has scored a sample that passes.

        Raises:
            Unavailable: it cannot, at its level of isolation; the worker has been ended.
        """
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> None:
        try:
            answer = self._await()
            if "unavailable" in answer:
                raise Unavailable(answer["unavailable"])
            answer = self._await()
        except ChannelClosed:
            raise Unavailable(f"the worker ended at its start: {self._last_words()}") from None
        if answer.get("verdict") != verdicts.PASSED:
            raise Unavailable(f"a sample that passes got {answer}: {self._last_words()}")

    def _await(self) -> dict[str, Any]:
        if not readable([self.output], _START_SECONDS):
            raise Unavailable(f"no answer in {_START_SECONDS:.0f} s")
        answer: dict[str, Any] = receive(self.output, _REPLY_BYTES)
        return answer

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode(errors="replace").split("\n")
        return " ".join(lines[-3:]).strip()


def _loader_path() -> dict[str, str]:
    """Return the variable without which some interpreters do not find their own library."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
