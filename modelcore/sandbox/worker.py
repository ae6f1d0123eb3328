"""The process that scores samples, one after another: reads jobs on descriptor 0, writes outcomes on 1.

`pool` starts it as a fresh interpreter, so it holds nothing of the caller's memory, threads or environment;
when the caller dies, it and everything below it end. Uses the standard library only.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from typing import Any

from modelcore.sandbox import isolation, kernel, root, scratch, verdicts
from modelcore.sandbox.configuration import Configuration
from modelcore.sandbox.harness import prepare, run_tests
from modelcore.sandbox.monitor import Monitor, Running
from modelcore.sandbox.remote import Completion
from modelcore.sandbox.sample import Sample
from modelcore.sandbox.verdicts import Outcome, outcome
from modelcore.sandbox.warm_up import warm_up
from modelcore.sandbox.wire import ChannelClosed, receive, send
from modelcore.sandbox.zygote import NOT_ENDED
from modelcore.sandbox.zygote_client import ZygoteClient

__all__ = ["main"]

_NAME = "score-worker"
_MESSAGE_BYTES = 1 << 30
_OUTCOME_BYTES = 1 << 20
_SHELL_SIGNAL = 128


def main() -> None:
    """Run until the caller closes descriptor 0 or dies. The first message is the configuration."""
    configuration = Configuration.from_json(receive(0, _MESSAGE_BYTES))
    kernel.forget_variable(
        "LD_LIBRARY_PATH"
    )  # the interpreter may have needed it; completions must not see it
    kernel.die_with_parent(configuration.parent)
    if isolation.in_namespaces(configuration.level):
        try:
            isolation.enter_namespaces(configuration.level)
        except OSError as error:
            send(1, {"unavailable": str(error)})
            return
        _continue_in_first_process()
    _score_jobs(configuration)


def _continue_in_first_process() -> None:
    """Continue in a child, the first process of the new pid namespace; this process only waits for it."""
    child = os.fork()
    if child == 0:
        kernel.die_with_parent(0)
        return
    os.close(0)
    os.close(1)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _score_jobs(configuration: Configuration) -> None:
    try:
        worker = _Worker(configuration)
    except OSError as error:
        send(1, {"unavailable": str(error)})
        return
    send(1, {"ready": configuration.level})
    while True:
        try:
            job = receive(0, _MESSAGE_BYTES)
        except ChannelClosed:
            os._exit(0)
        try:
            result = worker.score(Sample(**job))
        except IsolationBroken as broken:
            send(1, {"broken": str(broken)})
            return
        send(1, {"verdict": result.verdict, "reason": result.reason})


class IsolationBroken(Exception):
    """A sample's processes could not be confined, although earlier ones could."""


class _Worker:
    """Scores samples with the help of one zygote."""

    def __init__(self, configuration: Configuration) -> None:
        self._level = configuration.level
        self._limits = configuration.limits
        self._in_namespaces = isolation.in_namespaces(configuration.level)
        self._scratch = configuration.scratch
        user = isolation.unused_user(2 * configuration.number) if self._level == "namespaces" else -1
        proc = self._isolate_files(configuration)
        warm_up()
        sys.path.pop(0)  # the project's own directory: every module needed from it is loaded
        self._zygote = ZygoteClient(configuration, user, proc)
        self._monitor = Monitor(configuration, self._zygote, proc)
        kernel.name_process(_NAME)
        self._confine(user - 1)
        gc.disable()
        gc.freeze()  # a collection in a forked process would copy every page
        self._processors = os.sched_getaffinity(0)
        if self._in_namespaces:
            self._zygote.prefetch()

    def _isolate_files(self, configuration: Configuration) -> int:
        """Change the root directory, or else empty the scratch directory; return a descriptor of /proc."""
        if self._in_namespaces:
            visible = configuration.visible
            proc = root.change_root(visible.read, visible.masked, visible.packages)
            socket.sethostname("sandbox")
            return proc
        scratch.empty(self._scratch)  # a killed worker may have left something
        return os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)

    def _confine(self, user: int) -> None:
        parent = os.getppid()
        isolation.confine_worker(self._level, user)
        kernel.die_with_parent(parent)  # again: the change of user has undone it

    def score(self, sample: Sample) -> Outcome:
        """Return the outcome of one sample; when this returns, all its processes have ended.

        While one sample runs, the process of the next is prefetched where the two cannot see each other: not
        at the level `landlock`, at which they share a directory.
        """
        if len(sample.program) > self._limits.source:
            text = f"{len(sample.program)} characters, at most {self._limits.source}"
            return outcome(verdicts.DID_NOT_COMPILE, text)
        prepare(sample)
        channel, completion = self._zygote.take()
        verdict_pipe, harness = self._fork_harness(sample, channel.fileno())
        channel.close()
        if self._in_namespaces:
            self._zygote.prefetch()
        try:
            return self._outcome(verdict_pipe, Running(harness, completion))
        finally:
            os.close(verdict_pipe)
            if not self._in_namespaces:
                scratch.empty(self._scratch)

    def _fork_harness(self, sample: Sample, channel: int) -> tuple[int, int]:
        """Start the tests and return their verdict pipe and process id.

        They run on one processor, and the completion follows them there, because the two take turns.
        """
        readable, writable = os.pipe()
        parent = os.getpid()
        os.sched_setaffinity(0, {kernel.processor()})
        kernel.name_process("harness")  # inherited: a process' first foreign call touches many pages
        child = os.fork()
        if child == 0:
            self._run_harness(sample, channel, writable, parent)
        kernel.name_process(_NAME)
        os.sched_setaffinity(0, self._processors)
        os.close(writable)
        return readable, child

    def _run_harness(self, sample: Sample, channel: int, verdict_pipe: int, parent: int) -> None:
        """Run the tests in this process and write the outcome to the pipe. Never returns."""
        try:
            if not self._in_namespaces:  # where all processes end with the worker
                kernel.die_with_parent(parent)
            isolation.discard(0, 1, 2)
            self._zygote.close()
            isolation.confine_harness()
            result = run_tests(sample, Completion(channel, self._limits.answer))
            send(verdict_pipe, {"verdict": result.verdict, "reason": result.reason})
            os._exit(0)
        except ChannelClosed:
            send(verdict_pipe, {"gone": True})
            os._exit(0)
        except OSError as error:
            send(verdict_pipe, {"broken": str(error)})
        finally:
            os._exit(1)

    def _outcome(self, verdict_pipe: int, running: Running) -> Outcome:
        """Wait for the harness' outcome or a limit, then end both processes."""
        exceeded = self._monitor.wait(verdict_pipe, running)
        answer: dict[str, Any] = {}
        if exceeded is None:
            try:
                answer = receive(verdict_pipe, _OUTCOME_BYTES)
            except ChannelClosed:
                answer = {}
        else:
            os.kill(running.harness, signal.SIGKILL)
        code = self._zygote.end(grace="gone" in answer)
        _, status = os.waitpid(running.harness, 0)
        if exceeded is not None:
            return exceeded
        if "gone" in answer:
            return _completion_ended(code)
        if "broken" in answer:
            raise IsolationBroken(answer["broken"])
        if not answer:
            return _harness_died(status)
        return Outcome(answer["verdict"], answer["reason"])


def _completion_ended(code: int) -> Outcome:
    """Return the outcome of a completion whose process ended, or closed its channel, before the tests did."""
    if code == NOT_ENDED:
        return outcome(verdicts.ERROR, "closed its channel to the tests")
    if code == _SHELL_SIGNAL + signal.SIGXCPU:
        return outcome(verdicts.TIMED_OUT)
    if code > _SHELL_SIGNAL:
        return outcome(verdicts.KILLED, f"by signal {code - _SHELL_SIGNAL}")
    return outcome(verdicts.ERROR, f"exited with code {code} during the tests")


def _harness_died(status: int) -> Outcome:
    """Return the outcome of a harness that ended without one: an answer used up its memory or stack."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGSEGV:
        return outcome(verdicts.KILLED, f"the test process, by signal {os.WTERMSIG(status)}")
    return outcome(verdicts.ERROR, "the tests could not handle an answer")
