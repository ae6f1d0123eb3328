"""The process that scores samples, one after another: reads jobs on descriptor 0, writes outcomes on 1.

Started by `pool` as a fresh interpreter, so nothing of the caller's memory, threads or environment is in it
and the death of the caller ends it and everything below it. Uses the standard library only.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

from modelcore.sandbox import isolation, kernel, root, scratch, verdicts
from modelcore.sandbox.isolation import Sight
from modelcore.sandbox.limits import Limits
from modelcore.sandbox.remote import Completion
from modelcore.sandbox.trial import Trial, prepare, run_trial
from modelcore.sandbox.usage import processes, stolen, usage
from modelcore.sandbox.verdicts import Outcome, outcome
from modelcore.sandbox.warm_up import rehearse
from modelcore.sandbox.wire import ChannelClosed, receive, send
from modelcore.sandbox.zygote import AWAIT, END, FORK, NOT_ENDED, Zygote, run_zygote

__all__ = ["main"]

_NAME = "score-worker"
_MESSAGE_BYTES = 1 << 30
_TICK = 0.05
_WALL_FACTOR = 40
_OUTCOME_BYTES = 1 << 20
_SHELL_SIGNAL = 128


def main() -> None:
    """Run until the caller closes descriptor 0 or dies. The first message is the configuration."""
    configuration = receive(0, _MESSAGE_BYTES)
    os.environ.pop("LD_LIBRARY_PATH", None)  # the interpreter may have needed it; completions need not know
    kernel.die_with_parent(configuration["parent"])
    level = configuration["level"]
    if isolation.in_namespaces(level):
        try:
            isolation.enter_namespaces(level)
        except OSError as error:
            send(1, {"unavailable": str(error)})
            return
        _leave_to_first_process()
    _score(configuration, level)


def _leave_to_first_process() -> None:
    """Continue in a child, the first process of the new pid namespace; this one only waits for it."""
    child = os.fork()
    if child == 0:
        kernel.die_with_parent(0)
        return
    os.close(0)
    os.close(1)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _score(configuration: dict[str, Any], level: str) -> None:
    try:
        worker = _Worker(configuration, level)
    except OSError as error:
        send(1, {"unavailable": str(error)})
        return
    send(1, {"ready": level})
    while True:
        try:
            job = receive(0, _MESSAGE_BYTES)
        except ChannelClosed:
            os._exit(0)
        try:
            result = worker.score(Trial(**job))
        except IsolationBroken as broken:
            send(1, {"broken": str(broken)})
            return
        send(1, {"verdict": result.verdict, "reason": result.reason})


class IsolationBroken(Exception):
    """A sample's processes could not be confined, though others could."""


@dataclass
class _Prepared:
    """A completion's process that waits for its program: our end of its channel, and its id once known."""

    channel: socket.socket
    process: int = -1


class _Worker:
    """Scores samples by means of one zygote."""

    def __init__(self, configuration: dict[str, Any], level: str) -> None:
        sight = Sight(**{key: tuple(value) for key, value in configuration["sight"].items()})
        options = configuration["limits"]
        self._limits = Limits(**{**options, "packages": tuple(options["packages"])})
        self._level = level
        self._scratch = configuration["scratch"]
        self._user = isolation.unused_user(2 * configuration["number"]) if level == "namespaces" else -1
        if isolation.in_namespaces(level):
            self._table = root.change_root(sight.read, sight.masked, sight.packages)
            socket.sethostname("sandbox")
        else:
            self._table = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
            scratch.empty(self._scratch)  # of what a killed worker may have left
        rehearse()
        self._commands, theirs = socket.socketpair()
        sys.path.pop(0)  # the project's own directory: everything needed of it is loaded
        self._zygote = self._fork_zygote(sight, theirs)
        theirs.close()
        kernel.name_process(_NAME)
        self._confine()
        gc.disable()
        gc.freeze()  # a collection in a forked process would copy every page
        self._processors = os.sched_getaffinity(0)
        self._prepared: _Prepared | None = None
        if isolation.in_namespaces(level):
            self._prepare_completion()

    def _confine(self) -> None:
        parent = os.getppid()
        isolation.confine_worker(self._level, self._user - 1)
        kernel.die_with_parent(parent)  # a change of user has undone it

    def _fork_zygote(self, sight: Sight, commands: socket.socket) -> int:
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            try:
                kernel.die_with_parent(parent)
                self._commands.close()
                own_processes = os.open("self/ns/pid", os.O_RDONLY, dir_fd=self._table)
                os.close(self._table)
                _silence(0, 1)
                zygote = Zygote(self._level, self._limits, sight, self._user, self._scratch)
                run_zygote(zygote, commands, own_processes)
            finally:
                os._exit(1)
        return child

    def score(self, trial: Trial) -> Outcome:
        """Return the outcome of one sample; when this returns, every process it had is gone."""
        if len(trial.program) > self._limits.source:
            text = f"{len(trial.program)} characters, at most {self._limits.source}"
            return outcome(verdicts.DID_NOT_COMPILE, text)
        prepare(trial)
        if self._prepared is None:
            self._prepare_completion()
        channel, completion = self._take_completion()
        verdict_pipe, child = self._fork_trial(trial, channel.fileno())
        channel.close()
        if isolation.in_namespaces(self._level):
            self._prepare_completion()
        try:
            return self._judge(verdict_pipe, child, completion)
        finally:
            os.close(verdict_pipe)
            if not isolation.in_namespaces(self._level):
                scratch.empty(self._scratch)

    def _prepare_completion(self) -> None:
        """Have the zygote fork and confine the next sample's process, which then waits for its program.

        While one sample runs, the next is prepared, where the two cannot see each other: not at the level
        `landlock`, at which they share a directory.
        """
        ours, theirs = socket.socketpair()
        socket.send_fds(self._commands, [FORK], [theirs.fileno()])
        theirs.close()
        self._prepared = _Prepared(ours)

    def _prepared_process(self) -> int:
        """Return the id of the prepared process; waits until the zygote has told it."""
        assert self._prepared is not None
        if self._prepared.process < 0:
            self._prepared.process = int.from_bytes(self._commands.recv(4), "big")
        return self._prepared.process

    def _take_completion(self) -> tuple[socket.socket, int]:
        process = self._prepared_process()
        assert self._prepared is not None
        channel, self._prepared = self._prepared.channel, None
        return channel, process

    def _fork_trial(self, trial: Trial, channel: int) -> tuple[int, int]:
        """Start the tests, on one processor: they and the completion, which follows them, take turns."""
        readable, writable = os.pipe()
        parent = os.getpid()
        os.sched_setaffinity(0, {kernel.processor()})
        kernel.name_process("trial")  # inherited: the first foreign call of a process touches many pages
        child = os.fork()
        if child:
            kernel.name_process(_NAME)
            os.sched_setaffinity(0, self._processors)
            os.close(writable)
            return readable, child
        try:
            if not isolation.in_namespaces(self._level):  # in which all end with the worker
                kernel.die_with_parent(parent)
            _silence(0, 1, 2)
            self._commands.close()
            isolation.confine_trial()
            result = run_trial(trial, Completion(channel, self._limits.answer))
            send(writable, {"verdict": result.verdict, "reason": result.reason})
            os._exit(0)
        except ChannelClosed:
            send(writable, {"gone": True})
            os._exit(0)
        except OSError as error:
            send(writable, {"broken": str(error)})
        finally:
            os._exit(1)

    def _judge(self, verdict_pipe: int, trial: int, completion: int) -> Outcome:
        """Wait for the trial's outcome or a limit; end both processes."""
        exceeded = self._watch(verdict_pipe, trial, completion)
        answer: dict[str, Any] = {}
        if exceeded is None:
            try:
                answer = receive(verdict_pipe, _OUTCOME_BYTES)
            except ChannelClosed:
                answer = {}
        else:
            os.kill(trial, signal.SIGKILL)
        self._commands.sendall(AWAIT if "gone" in answer else END)
        if self._prepared is not None:
            self._prepared_process()  # told before this one's end
        code = int.from_bytes(self._commands.recv(4), "big")
        _, status = os.waitpid(trial, 0)
        if exceeded is not None:
            return exceeded
        if "gone" in answer:
            return _ended_early(code)
        if "broken" in answer:
            raise IsolationBroken(answer["broken"])
        if not answer:
            return _trial_died(status)
        return Outcome(answer["verdict"], answer["reason"])

    def _watch(self, verdict_pipe: int, trial: int, completion: int) -> Outcome | None:
        """Return None when the trial has something to say, or the outcome if a limit is exceeded first."""
        start = time.monotonic()
        ready = select.poll()
        ready.register(verdict_pipe, select.POLLIN | select.POLLHUP)
        if ready.poll(1000 * _TICK):
            return None
        before = stolen(self._table)
        while True:
            lost = stolen(self._table) - before
            exceeded = self._exceeded(time.monotonic() - start, lost, trial, completion)
            if exceeded is not None:
                return exceeded
            if ready.poll(1000 * _TICK):
                return None

    def _exceeded(self, wall: float, lost: float, trial: int, completion: int) -> Outcome | None:
        limits = self._limits
        own = {os.getpid(), self._zygote, trial}
        if self._prepared is not None:
            own.add(self._prepared_process())
        theirs = processes(self._table) - own if isolation.in_namespaces(self._level) else {completion}
        used = usage(self._table, theirs)
        tests = usage(self._table, [trial])
        shared = usage(self._table, [self._zygote]).memory  # what each of them has in common with it
        if used.memory - shared * (used.processes - 1) > limits.memory:
            return outcome(verdicts.OUT_OF_MEMORY, f"more than {limits.memory >> 20} MiB resident")
        if used.processes > limits.processes:
            return outcome(verdicts.KILLED, f"more than {limits.processes} processes")
        if not isolation.in_namespaces(self._level) and scratch.size(self._scratch) > limits.disk:
            return outcome(verdicts.KILLED, f"more than {limits.disk >> 20} MiB of files")
        running = used.running + tests.running
        idle = wall - lost - running - used.waiting - tests.waiting
        if running > limits.seconds or idle > limits.seconds or wall > _WALL_FACTOR * limits.seconds:
            return outcome(verdicts.TIMED_OUT)
        return None


def _silence(*descriptors: int) -> None:
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


def _ended_early(code: int) -> Outcome:
    """Return the outcome of a completion whose process ended, or closed its channel, before the tests did."""
    if code == NOT_ENDED:
        return outcome(verdicts.ERROR, "closed its channel to the tests")
    if code == _SHELL_SIGNAL + signal.SIGXCPU:
        return outcome(verdicts.TIMED_OUT)
    if code > _SHELL_SIGNAL:
        return outcome(verdicts.KILLED, f"by signal {code - _SHELL_SIGNAL}")
    return outcome(verdicts.ERROR, f"exited with code {code} during the tests")


def _trial_died(status: int) -> Outcome:
    """Return the outcome of a trial that ended without one: an answer used up its memory or stack."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGSEGV:
        return outcome(verdicts.KILLED, f"the tests, by signal {os.WTERMSIG(status)}")
    return outcome(verdicts.ERROR, "the tests could not handle an answer")
