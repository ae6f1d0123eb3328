"""The worker's end of its zygote: forks it, and has it fork and end completions."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from modelcore.sandbox import isolation, kernel
from modelcore.sandbox.configuration import Configuration
from modelcore.sandbox.zygote import AWAIT, END, FORK, REPLY_BYTES, BecomesCompletion, run_zygote

__all__ = ["ZygoteClient"]


@dataclass
class _Prefetched:
    """A completion's process that waits for its program: our end of its channel; its id, once received."""

    channel: socket.socket
    pid: int = -1


class ZygoteClient:
    """A zygote, forked from this process, and at most one completion that it has prefetched.

    Args:
        configuration: of this worker.
        user: the user id that completions run as, at the level `namespaces`.
        proc: descriptor of /proc.

    Attributes:
        pid: the zygote's process id.
    """

    def __init__(self, configuration: Configuration, user: int, proc: int) -> None:
        self._commands, theirs = socket.socketpair()
        self._prefetched: _Prefetched | None = None
        self.pid = self._fork(configuration, user, theirs, proc)
        theirs.close()

    def _fork(self, configuration: Configuration, user: int, commands: socket.socket, proc: int) -> int:
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            try:
                kernel.die_with_parent(parent)
                self._commands.close()
                own_processes = os.open("self/ns/pid", os.O_RDONLY, dir_fd=proc)
                os.close(proc)
                isolation.discard(0, 1)
                run_zygote(configuration, user, commands, own_processes)
            except BecomesCompletion:
                raise
            except BaseException:  # noqa: BLE001  a forked process never returns into its parent's code
                os._exit(1)
        return child

    def prefetch(self) -> None:
        """Request the process of the next completion; does nothing if one has been requested already."""
        if self._prefetched is not None:
            return
        ours, theirs = socket.socketpair()
        socket.send_fds(self._commands, [FORK], [theirs.fileno()])
        theirs.close()
        self._prefetched = _Prefetched(ours)

    def prefetched_pids(self) -> list[int]:
        """Return the id of the prefetched process if there is one; waits for the zygote's reply."""
        if self._prefetched is None:
            return []
        if self._prefetched.pid < 0:
            self._prefetched.pid = self._reply()
        return [self._prefetched.pid]

    def take(self) -> tuple[socket.socket, int]:
        """Return the channel and the id of a completion's process, confined and waiting for its program."""
        self.prefetch()
        (pid,) = self.prefetched_pids()
        assert self._prefetched is not None
        channel, self._prefetched = self._prefetched.channel, None
        return channel, pid

    def end(self, *, grace: bool) -> int:
        """End the oldest completion with all its processes and return its exit code, or `NOT_ENDED`.

        Args:
            grace: first wait a moment for it to end on its own.
        """
        self._commands.sendall(AWAIT if grace else END)
        self.prefetched_pids()  # the zygote replies in order: first to the request made before
        return self._reply()

    def close(self) -> None:
        """Close the connection in a process that must not use the zygote."""
        self._commands.close()

    def _reply(self) -> int:
        return int.from_bytes(self._commands.recv(REPLY_BYTES), "big")
