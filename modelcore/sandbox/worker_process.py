"""One worker process as its caller sees it: started with a clean environment, given jobs, read, ended."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcore.errors import StepFailed
from modelcore.sandbox import verdicts
from modelcore.sandbox.configuration import Configuration
from modelcore.sandbox.sample import Sample
from modelcore.sandbox.verdicts import Outcome
from modelcore.sandbox.wire import ChannelClosed, readable, receive, send

__all__ = ["Job", "Unavailable", "WorkerProcess"]

_REPLY_BYTES = 1 << 20
_START_SECONDS = 60.0
_SILENCE_SECONDS = 60.0
_WALL_FACTOR = 40
_PREFETCH_CHARACTERS = 20_000
_PROJECT = str(Path(__file__).parents[2])
_PROGRAM = f"import sys; sys.path[0] = {_PROJECT!r}; from modelcore.sandbox.start import main; main()"
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # sets of strings iterate in the same order in every run
    "PYTHONUTF8": "1",
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_SELF_TEST = Sample(  # reads a library that is not loaded yet, writes a file, answers
    program="import unicodedata\ndef f(x):\n with open('scratch', 'wb') as file:\n  return file.write(x)\n",
    helpers="",
    test="def check(f):\n    assert f(b'abc') == 3\n",
    entry_point="f",
    seed="",
)


class Unavailable(Exception):
    """A level of isolation does not work here; the message says why."""


@dataclass
class Job:
    """A sample to score, the number under which its outcome is reported, and how often it was tried."""

    number: int
    sample: Sample
    attempts: int = 0

    @property
    def is_small(self) -> bool:
        """Whether it fits in a pipe behind another job, so that sending it early never blocks."""
        sample = self.sample
        return len(sample.program) + len(sample.helpers) + len(sample.test) < _PREFETCH_CHARACTERS


class WorkerProcess:
    """One worker process and the jobs it has been given. Starts at once; usable after `check`.

    Attributes:
        configuration: what it was started with.
        jobs: sent and not yet answered, oldest first.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.jobs: deque[Job] = deque()
        self._since = time.monotonic()
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
            self._write(configuration.to_json())
            self._write(vars(_SELF_TEST))

    @property
    def output(self) -> int:
        """The descriptor on which outcomes arrive."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    @property
    def is_silent(self) -> bool:
        """Whether it should have answered long ago."""
        longest = _WALL_FACTOR * self.configuration.limits.seconds + _SILENCE_SECONDS
        return time.monotonic() - self._since > longest

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

    def send(self, job: Job) -> None:
        """Send a job. If the worker has ended, its only job is kept in `jobs` all the same.

        Raises:
            ChannelClosed: the worker has ended and an earlier job is unanswered.
        """
        if not self.jobs:
            self._since = time.monotonic()
        self.jobs.append(job)
        try:
            self._write(vars(job.sample))
        except ChannelClosed:
            if len(self.jobs) > 1:
                self.jobs.pop()
                raise

    def receive(self) -> tuple[Job, Outcome]:
        """Read the outcome of the oldest job and remove it from `jobs`; end the worker if there is none yet.

        Raises:
            ChannelClosed: the worker has ended.
            StepFailed: it can no longer confine processes.
        """
        if not readable([self.output], 0):
            self._process.kill()
        answer = receive(self.output, _REPLY_BYTES)
        job = self.jobs.popleft()
        self._since = time.monotonic()
        if "broken" in answer:
            raise StepFailed(f"the isolation of a sample could not be set up: {answer['broken']}")
        return job, Outcome(answer["verdict"], answer["reason"])

    def close(self) -> None:
        """End the process; the kernel ends everything below it."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()
        self._errors.close()

    def _check(self) -> None:
        try:
            answer = self._next_answer()
            if "unavailable" in answer:
                raise Unavailable(answer["unavailable"])
            answer = self._next_answer()
        except ChannelClosed:
            raise Unavailable(f"the worker ended while it started: {self._failure_reason()}") from None
        if answer.get("verdict") != verdicts.PASSED:
            raise Unavailable(f"a sample that passes got {answer}: {self._failure_reason()}")

    def _next_answer(self) -> dict[str, Any]:
        if not readable([self.output], _START_SECONDS):
            raise Unavailable(f"no answer in {_START_SECONDS:.0f} s")
        answer: dict[str, Any] = receive(self.output, _REPLY_BYTES)
        return answer

    def _failure_reason(self) -> str:
        """Return the last lines of the worker's stderr."""
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode(errors="replace").split("\n")
        return " ".join(lines[-3:]).strip()

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        send(self._process.stdin.fileno(), message)


def _loader_path() -> dict[str, str]:
    """Return the variable without which some interpreters do not find their own shared libraries.

    It has the caller's directories from which this process has loaded a library, and no other text.
    """
    maps = Path("/proc/self/maps").read_text()
    loaded = {
        os.path.realpath(Path(path).parent) for path in re.findall(r"(/\S+\.so\S*)$", maps, re.MULTILINE)
    }
    directories = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    used = [path for path in directories if path and os.path.realpath(path) in loaded]
    return {"LD_LIBRARY_PATH": ":".join(used)} if used else {}
