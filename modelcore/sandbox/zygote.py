"""The warm process that every completion is forked from. It never sees a test, an answer or a program.

It answers one command at a time on a socket to its worker:

    fork    with the completion's end of a channel attached: fork a confined completion; reply its id
    end     kill the oldest completion and everything it started, wait until all are gone; reply its exit code
    await   the same, but give a completion that is about to end by itself a moment to do so
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
from dataclasses import dataclass

from modelcore.sandbox import isolation, kernel, landlock
from modelcore.sandbox.completion import serve
from modelcore.sandbox.isolation import Sight
from modelcore.sandbox.limits import Limits
from modelcore.sandbox.wire import ChannelClosed

__all__ = ["AWAIT", "END", "FORK", "NOT_ENDED", "WARM_MODULES", "Zygote", "run_zygote"]

FORK, END, AWAIT = b"F", b"E", b"A"
NOT_ENDED = 256
"""Replied in place of an exit code for a completion that had to be killed."""
_GRACE = 0.25
_CHANNEL = 3
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
"""What completions import most. Every module makes each fork longer, so those are not here that few import.
`threading` reacts to forks, and takes longer to do so than to be imported by the few that need it."""


@dataclass(frozen=True)
class Zygote:
    """What a zygote needs to know.

    Args:
        level: of isolation.
        limits: of every completion.
        sight: what completions may read.
        user: the user id completions run as, where there is a choice.
        scratch: the directory they may write to where they have no mount namespace.
    """

    level: str
    limits: Limits
    sight: Sight
    user: int
    scratch: str


def run_zygote(zygote: Zygote, commands: socket.socket, own_processes: int) -> None:
    """Answer commands until the worker is gone. Never returns.

    Args:
        zygote: what to fork.
        commands: socket of the worker.
        own_processes: descriptor of the pid namespace of this process.
    """
    kernel.name_process("zygote")
    for name in WARM_MODULES:
        importlib.import_module(name)
    random.seed(0)
    sys.path[:] = [*sys.path, *zygote.sight.search]
    ruleset = -1 if isolation.in_namespaces(zygote.level) else _ruleset(zygote)
    isolation.confine_zygote(zygote.level, zygote.limits, zygote.user)
    gc.freeze()
    children: deque[int] = deque()
    while True:
        command, descriptors, _, _ = socket.recv_fds(commands, 1, 1)
        if command == FORK:
            children.append(_fork(zygote, descriptors[0], ruleset, own_processes))
            os.close(descriptors[0])
            commands.sendall(children[-1].to_bytes(4, "big"))
        elif command in (END, AWAIT):
            commands.sendall(_end(children.popleft(), _GRACE if command == AWAIT else 0).to_bytes(4, "big"))
        else:
            os._exit(0)


def _ruleset(zygote: Zygote) -> int:
    sight = zygote.sight
    ruleset = landlock.open_ruleset(
        read=[
            *isolation.split_around(sight.read, sight.masked),
            *sight.packages,
            "/dev/zero",
            "/dev/urandom",
        ],
        listed=sight.search,
        write=[zygote.scratch, "/dev/null"],
    )
    moved = fcntl.fcntl(ruleset, fcntl.F_DUPFD_CLOEXEC, _RULESET)
    os.close(ruleset)
    return moved


def _fork(zygote: Zygote, channel: int, ruleset: int, own_processes: int) -> int:
    """Fork the completion; with namespaces, as the first process of a new pid namespace."""
    parent = os.getpid()
    if isolation.in_namespaces(zygote.level):
        kernel.unshare(kernel.CLONE_NEWPID)
    child = os.fork()
    if child == 0:
        _become_completion(zygote, channel, ruleset, parent)
    if isolation.in_namespaces(zygote.level):
        kernel.setns(own_processes, kernel.CLONE_NEWPID)
    return child


def _become_completion(zygote: Zygote, channel: int, ruleset: int, parent: int) -> None:
    """Turn this process into a completion that serves its channel. Never returns."""
    try:
        kernel.name_process("completion")
        _arrange_descriptors(channel, ruleset)
        if isolation.in_namespaces(zygote.level):
            kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC)
        else:
            kernel.die_with_parent(parent)
            os.chdir(zygote.scratch)
            os.environ["TMPDIR"] = zygote.scratch
        isolation.confine_completion(zygote.level, zygote.limits, zygote.user, ruleset)
        os.dup2(1, 2)
        serve(_CHANNEL)
    except OSError as error:
        os.write(2, f"confinement: {error}\n".encode())
    except ChannelClosed:
        os._exit(0)
    finally:
        os._exit(1)


def _arrange_descriptors(channel: int, ruleset: int) -> None:
    """Leave open: /dev/null as 0 and 1, errors as 2, the channel as 3, the rule set until it is used."""
    if channel != _CHANNEL:
        os.dup2(channel, _CHANNEL)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.closerange(_CHANNEL + 1, _RULESET)
    os.closerange(_RULESET + (ruleset >= 0), _DESCRIPTORS)


def _end(child: int, grace: float) -> int:
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
    """Return the exit code as a shell gives it: 128 + the signal if one ended the process."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
