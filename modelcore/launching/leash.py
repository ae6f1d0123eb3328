"""A small process that runs one command and lets nothing of it outlive the command or its supervisor.

`python leash.py PARENT_PID -- COMMAND…` runs the command as its only child and ends as it ended: same exit
code, same signal. When the command ends (however it ends), when the supervisor (`PARENT_PID`) ends, even by
SIGKILL, or when the leash gets SIGTERM, every process the command has started is killed before the leash
ends, also those that moved to a session of their own: the leash is their subreaper, so an orphan among them
becomes its child. If the leash itself is killed by SIGKILL, the command is killed with it; its children are
then left to the supervisor, which kills their process group.

Standard output of the leash is not the command's: the command writes both streams to the leash's standard
error. The leash writes nothing to its own, so a supervisor that makes it a pipe reads end of file from it
exactly when the command and all it started are gone, on any Linux (pidfds need 5.3, hosts of accelerators
often run 4.19).

The kernel reports the end of the *thread* that started a process as the end of its parent. The leash then
checks whether its parent is still the same process, and continues if it is, so a leash may be started from a
worker thread that ends early.

This file is run by its path in a bare interpreter (10 MB, 20 ms): it may import nothing but the standard
library. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

__all__ = ["leash_command"]

# From <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_PARENT_MAY_BE_DEAD = signal.SIGUSR2
_DUMP_STACKS = signal.SIGUSR1
_STOP = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_HANDLED = _STOP | {signal.SIGCHLD, _PARENT_MAY_BE_DEAD, _DUMP_STACKS}


def leash_command(command: list[str]) -> list[str]:
    """Return the command line that runs `command` on a leash held by the calling process.

    SIGTERM to it kills the command and all its descendants. SIGUSR1 sends the command SIGABRT, on which a
    Python with PYTHONFAULTHANDLER=1 writes where each of its threads is.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), "--", *command]


def _main(arguments: list[str]) -> NoReturn:
    parent, _, *command = arguments
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # an inherited "ignore" would hide how the command ended
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_PDEATHSIG, _PARENT_MAY_BE_DEAD)
    if os.getppid() != int(parent):  # it died before we asked to be notified
        os._exit(1)
    child = os.fork()
    if child == 0:
        _run(command, leash=os.getppid())
    _exit_like(_watch(child, int(parent)))


def _run(command: list[str], *, leash: int) -> NoReturn:
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != leash:
            os._exit(1)
        os.dup2(2, 1)
        for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored_by_python, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error.strerror}\n".encode(errors="backslashreplace"))
    finally:
        os._exit(127)


def _watch(child: int, parent: int) -> int:
    """Wait until child or parent ends, or for a signal to stop; kill all descendants; return our status."""
    statuses: dict[int, int] = {}
    while child not in statuses:
        received = signal.sigwait(_HANDLED)
        if received in _STOP or (received == _PARENT_MAY_BE_DEAD and os.getppid() != parent):
            _kill_descendants(statuses)
            return int(received)
        if received == _DUMP_STACKS:
            # No core: it would hold the weights.
            resource.prlimit(child, resource.RLIMIT_CORE, (0, 0))
            os.kill(child, signal.SIGABRT)
        _reap(statuses)
    _kill_descendants(statuses)
    return statuses[child]


def _kill_descendants(statuses: dict[int, int]) -> None:
    """Kill until no child is left; what forks meanwhile, or loses its parent, is found in the next round."""
    while _reap(statuses):
        for pid in _descendants(os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, 0.05)


def _reap(statuses: dict[int, int]) -> bool:
    """Collect the status of every child that has ended; return whether a child is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        statuses[pid] = status


def _descendants(ancestor: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended since
                # "pid (name) state ppid …", and the name may hold spaces and brackets.
                parent = int((entry / "stat").read_bytes().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    generation = children.get(ancestor, [])
    while generation:
        found += generation
        generation = [pid for parent in generation for pid in children.get(parent, [])]
    return found


def _exit_like(status: int) -> NoReturn:
    if not os.WIFSIGNALED(status):
        os._exit(os.WEXITSTATUS(status))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has dumped its own
    killer = os.WTERMSIG(status)
    if killer != signal.SIGKILL:
        signal.signal(killer, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {killer})
    os.kill(os.getpid(), killer)
    os._exit(128 + killer)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value})")


if __name__ == "__main__":
    _main(sys.argv[1:])
