"""Enforces the limits of a sample that the kernel does not: time, total memory, processes, scratch files."""

from __future__ import annotations

import os
import select
import time
from dataclasses import dataclass

from modelcore.sandbox import isolation, scratch, verdicts
from modelcore.sandbox.configuration import Configuration
from modelcore.sandbox.usage import Usage, processes, steal_time, usage
from modelcore.sandbox.verdicts import Outcome, outcome
from modelcore.sandbox.zygote_client import ZygoteClient

__all__ = ["Monitor", "Running"]

_POLL_MILLISECONDS = 50
_WALL_FACTOR = 40


@dataclass(frozen=True)
class Running:
    """The process ids of the sample that is running."""

    harness: int
    completion: int


class Monitor:
    """Measures a worker's samples.

    Args:
        configuration: of the worker.
        zygote: of the worker; its processes do not count towards the sample.
        proc: descriptor of /proc.
    """

    def __init__(self, configuration: Configuration, zygote: ZygoteClient, proc: int) -> None:
        self._limits = configuration.limits
        self._in_namespaces = isolation.in_namespaces(configuration.level)
        self._scratch = configuration.scratch
        self._zygote = zygote
        self._proc = proc

    def wait(self, verdict_pipe: int, running: Running) -> Outcome | None:
        """Return None as soon as the pipe is readable, or the outcome if a limit is exceeded first."""
        start = time.monotonic()
        poll = select.poll()
        poll.register(verdict_pipe, select.POLLIN | select.POLLHUP)
        if poll.poll(_POLL_MILLISECONDS):
            return None
        steal_before = steal_time(self._proc)
        while True:
            steal = steal_time(self._proc) - steal_before
            exceeded = self._exceeded(running, time.monotonic() - start, steal)
            if exceeded is not None:
                return exceeded
            if poll.poll(_POLL_MILLISECONDS):
                return None

    def _exceeded(self, running: Running, elapsed: float, steal: float) -> Outcome | None:
        completion = usage(self._proc, self._completion_processes(running))
        harness = usage(self._proc, [running.harness])
        return self._space_exceeded(completion) or self._time_exceeded(completion, harness, elapsed, steal)

    def _completion_processes(self, running: Running) -> set[int]:
        """Return the ids of the completion's processes: with namespaces, all that are not the worker's."""
        if not self._in_namespaces:
            return {running.completion}
        own = {os.getpid(), self._zygote.pid, running.harness, *self._zygote.prefetched_pids()}
        return processes(self._proc) - own

    def _space_exceeded(self, completion: Usage) -> Outcome | None:
        limits = self._limits
        shared = usage(self._proc, [self._zygote.pid]).memory  # with the zygote, by each of its processes
        if completion.memory - shared * (completion.processes - 1) > limits.memory:
            return outcome(verdicts.OUT_OF_MEMORY, f"more than {limits.memory >> 20} MiB resident")
        if completion.processes > limits.processes:
            return outcome(verdicts.KILLED, f"more than {limits.processes} processes")
        if not self._in_namespaces and scratch.size(self._scratch) > limits.disk:
            return outcome(verdicts.KILLED, f"more than {limits.disk >> 20} MiB of files")
        return None

    def _time_exceeded(
        self, completion: Usage, harness: Usage, elapsed: float, steal: float
    ) -> Outcome | None:
        limit = self._limits.seconds
        running = completion.running + harness.running
        idle = elapsed - steal - running - completion.waiting - harness.waiting
        if running > limit or idle > limit or elapsed > _WALL_FACTOR * limit:
            return outcome(verdicts.TIMED_OUT)
        return None
