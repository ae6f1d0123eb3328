"""The warm process that every completion is forked from. It never holds a test, an answer or a program.

A completion leaves all functions that the zygote was in before it serves its channel (`BecomesCompletion`):
no frame, configuration or descriptor of the zygote and its worker is to be found from it.

It answers one command at a time on a socket to its worker (`zygote_client`):

    fork    with the completion's end of a channel attached: fork a confined completion; reply its id
    end     kill the oldest completion and everything it started, wait until all are gone; reply its exit code
    await   the same, but first give a completion that is about to end a moment to do so
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import random
import signal
import socket
import sys
import time
from collections import deque

from modelcore.sandbox import isolation, kernel, landlock
from modelcore.sandbox.configuration import Configuration

__all__ = [
    "AWAIT",
    "CHANNEL",
    "END",
    "FORK",
    "NOT_ENDED",
    "REPLY_BYTES",
    "WARM_MODULES",
    "BecomesCompletion",
    "run_zygote",
]

FORK, END, AWAIT = b"F", b"E", b"A"
REPLY_BYTES = 4
NOT_ENDED = 256
"""Replied instead of an exit code for a completion that had to be killed."""
_GRACE_SECONDS = 0.25
CHANNEL = 3
"""The descriptor of a completion's channel to its tests."""
_RULESET = 200
_DESCRIPTORS = 256
WARM_MODULES = (
    "bisect",
    "collections",
    "copy",
    "functools",
    "heapq",
    "itertools",
    "json",
    "math",
    "operator",
    "random",
    "re",
    "string",
    "typing",
)
"""What completions import most. Every loaded module makes each fork slower, so rarely used ones are left out.
`threading` has a fork hook, which takes longer than importing it in the few completions that need it."""


def run_zygote(configuration: Configuration, user: int, commands: socket.socket, own_processes: int) -> None:
    """Answer commands until the worker closes its end. Never returns; in a completion, raises.

    Args:
        configuration: of the worker.
        user: the user id that completions run as, at the level `namespaces`.
        commands: socket of the worker.
        own_processes: descriptor of the pid namespace of this process.

    Raises:
        BecomesCompletion: this process was forked to be a completion, and is confined.
    """
    kernel.name_process("zygote")
    for name in WARM_MODULES:
        importlib.import_module(name)
    random.seed(0)
    sys.path[:] = [*sys.path, *configuration.visible.search]
    sys.argv[:], sys.orig_argv[:] = [""], ["python"]  # the latter had the project's directory
    zygote = _Zygote(configuration, user, own_processes)
    children: deque[int] = deque()
    while True:
        command, descriptors, _, _ = socket.recv_fds(commands, 1, 1)
        if command == FORK:
            try:
                reply = zygote.fork(descriptors[0])
            except BecomesCompletion:
                commands.detach()  # closed already; its number may be another descriptor's by now
                raise
            os.close(descriptors[0])
            children.append(reply)
        elif command in (END, AWAIT):
            reply = _end(children.popleft(), _GRACE_SECONDS if command == AWAIT else 0)
        else:
            os._exit(0)
        commands.sendall(reply.to_bytes(REPLY_BYTES, "big"))


class BecomesCompletion(BaseException):
    """Ends every function of the worker and the zygote in a process that was forked to be a completion.

    Not an `Exception`, so that nothing on the way catches it; `start` does, at the very top.
    """


class _Zygote:
    """This process, confined, and what it needs to fork completions."""

    def __init__(self, configuration: Configuration, user: int, own_processes: int) -> None:
        self._configuration = configuration
        self._user = user
        self._own_processes = own_processes
        self._in_namespaces = isolation.in_namespaces(configuration.level)
        self._ruleset = -1 if self._in_namespaces else _open_ruleset(configuration)
        isolation.confine_zygote(configuration.level, configuration.limits, user)
        gc.freeze()

    def fork(self, channel: int) -> int:
        """Fork a completion, with namespaces the first process of a new pid namespace; return its id."""
        parent = os.getpid()
        if self._in_namespaces:
            kernel.unshare(kernel.CLONE_NEWPID)
        child = os.fork()
        if child == 0:
            self._become_completion(channel, parent)
        if self._in_namespaces:
            kernel.setns(self._own_processes, kernel.CLONE_NEWPID)
        return child

    def _become_completion(self, channel: int, parent: int) -> None:
        """Confine this process and raise `BecomesCompletion`; its channel is the descriptor `CHANNEL`."""
        try:
            kernel.name_process("completion")
            os.setpgid(0, 0)  # a signal to a group reaches all of it, in other pid namespaces too
            _arrange_descriptors(channel, self._ruleset)
            self._confine(parent)
            os.dup2(1, 2)
        except OSError as error:
            os.write(2, f"confinement: {error}\n".encode())
            os._exit(1)
        raise BecomesCompletion

    def _confine(self, parent: int) -> None:
        configuration = self._configuration
        if self._in_namespaces:
            kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC)
        else:
            kernel.die_with_parent(parent)
            os.chdir(configuration.scratch)
            os.environ["TMPDIR"] = configuration.scratch
        isolation.confine_completion(configuration.level, configuration.limits, self._user, self._ruleset)


def _open_ruleset(configuration: Configuration) -> int:
    """Return the descriptor of the Landlock rule set, at a number that `_arrange_descriptors` keeps open."""
    visible = configuration.visible
    ruleset = landlock.open_ruleset(
        read=[
            *isolation.split_around(visible.read, visible.masked),
            *visible.packages,
            "/dev/zero",
            "/dev/urandom",
        ],
        listed=visible.search,
        write=[configuration.scratch, "/dev/null"],
    )
    moved = fcntl.fcntl(ruleset, fcntl.F_DUPFD_CLOEXEC, _RULESET)
    os.close(ruleset)
    return moved


def _arrange_descriptors(channel: int, ruleset: int) -> None:
    """Keep open: /dev/null as 0 and 1, errors as 2, the channel as 3, the rule set until it is used."""
    if channel != CHANNEL:
        os.dup2(channel, CHANNEL)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.closerange(CHANNEL + 1, _RULESET)
    os.closerange(_RULESET + (ruleset >= 0), _DESCRIPTORS)


def _end(child: int, grace: float) -> int:
    """Wait up to `grace` seconds for the process to end, then kill it; return its exit code."""
    deadline = time.monotonic() + grace
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return _exit_code(status)
        if time.monotonic() >= deadline:
            break
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return NOT_ENDED


def _exit_code(status: int) -> int:
    """Return the exit code as a shell reports it: 128 + the signal if one ended the process."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
