"""One host's side of an attempt: it supervises the host's ranks while the driver renews its lease.

An agent is a Ray actor, one per host and attempt. Everything that it starts is on a leash (see
`modelcore.launching.leash`): however the agent ends, its ranks are gone within a second. It imports neither
Ray nor MindSpore.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelcore.cluster.host_versions import host_versions
from modelcore.cluster.lease import Lease
from modelcore.cluster.records import Failure, Kind
from modelcore.errors import StepFailed
from modelcore.launching.failure_reason import failure_reason
from modelcore.launching.gang import run_part
from modelcore.launching.rank_environment import Rendezvous, free_port
from modelcore.launching.watch import DidNotStart, InputRefused, ProcessFailed

__all__ = ["COMPILING", "STOPPED", "Agent", "HostFacts", "Share", "Status", "Stopped"]

STOPPED = "stopped"
"""How a process "ended" that was stopped by a signal while its gang hung."""

_TAIL_LINES = 40
_BIT_OF_LOG = 64 * 1024
_FENCE_POLL_S = 0.2
_FENCE_GRACE_S = 2.0
_NO_MEMORY = ("MemoryError", "out of memory", "Out of memory", "Memory not enough", "bad_alloc")

COMPILING = "compiling"
"""The note with which a program reports the steps that it resumes from, before it takes the first."""

# done, total, unit and note of a `Progress`
Status = tuple[float, float | None, str, str]


class Stopped(StepFailed):
    """The driver has ended the attempt."""


@dataclass(frozen=True)
class HostFacts:
    """What must be equal on all hosts of an attempt, and whether the job's directory is seen.

    Attributes:
        name: the host's own name.
        versions: see `host_versions`.
        token: what the driver has written into the job's directory, as this host sees it; "" if it does not.
    """

    name: str
    versions: dict[str, str]
    token: str


@dataclass(frozen=True)
class Share:
    """What one host has to run.

    Attributes:
        address: the host's.
        arguments: of the Python that runs on each host.
        ranks: the host's own.
        rendezvous: of the whole gang.
        log_dir: gets the logs of this attempt.
        environment: added to that of each rank.
        start_timeout, hang_timeout, hang_steps: as of `run_part`.
    """

    address: str
    arguments: Sequence[str]
    ranks: Sequence[int]
    rendezvous: Rendezvous
    log_dir: str
    environment: Mapping[str, str]
    start_timeout: float
    hang_timeout: float
    hang_steps: int | None


class Agent:
    """The actor. `run` blocks; the other methods are called meanwhile, from other threads.

    Args:
        lease: seconds without a renewal after which it kills its ranks.
    """

    def __init__(self, lease: float) -> None:
        self._lease_seconds = lease
        self._lease = Lease(lease)
        self._stopped = threading.Event()
        self._resumed_from: float | None = None
        self._status: Status | None = None
        # Ray sets it to the actor's number of CPUs; here the ranks' share of the cores decides.
        os.environ.pop("OMP_NUM_THREADS", None)

    def describe(self, token_file: str) -> HostFacts:
        """Return the facts that the driver compares before anything starts."""
        try:
            token = Path(token_file).read_text()
        except (FileNotFoundError, NotADirectoryError):
            token = ""
        return HostFacts(socket.gethostname(), host_versions(), token)

    def free_port(self, address: str) -> int:
        """Return a port that is free at this host's address."""
        return free_port(address)

    def run(self, share: Share) -> Failure | None:
        """Run the host's ranks to their end; return why they failed, None if they did not.

        However this returns, none of them is left.
        """
        self._lease = Lease(self._lease_seconds)
        killed_for_memory = _killed_for_memory()
        try:
            with _fenced(self._lease):
                run_part(
                    [sys.executable, *share.arguments],
                    ranks=share.ranks,
                    rendezvous=share.rendezvous,
                    log_dir=Path(share.log_dir),
                    environment=share.environment,
                    start_timeout=share.start_timeout,
                    hang_timeout=share.hang_timeout,
                    hang_steps=share.hang_steps,
                    progress=self._take,
                    guard=self._check,
                )
        except InputRefused as error:
            return _failure(share.address, "bad input", error)
        except ProcessFailed as error:
            return _failure(share.address, _kind(error, _killed_for_memory() > killed_for_memory), error)
        except StepFailed as error:
            return Failure("host silent", str(error), share.address)
        return None

    def renew(self) -> tuple[float | None, Status | None]:
        """Renew the lease; return the steps that the first rank resumed from, and its progress."""
        self._lease.renew()
        return self._resumed_from, self._status

    def stop(self) -> None:
        """Make `run` end its ranks and return."""
        self._stopped.set()

    def _check(self) -> None:
        self._lease.check()
        if self._stopped.is_set():
            raise Stopped("stopped by the driver")

    def _take(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        if note == COMPILING:
            self._resumed_from = done
        self._status = (done, total, unit, note)


@contextmanager
def _fenced(lease: Lease) -> Iterator[None]:
    """End this process, and with it its ranks, if the block still runs two seconds after a lease expired.

    The supervisor follows files on the disk that all hosts share, and may wait there for ever once the link
    is cut. This reads none.
    """
    ended = threading.Event()

    def fence() -> None:
        while not ended.wait(_FENCE_POLL_S):
            if lease.expired and not ended.wait(_FENCE_GRACE_S):
                os._exit(1)

    threading.Thread(target=fence, name="fence", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _failure(host: str, kind: Kind, error: InputRefused | ProcessFailed) -> Failure:
    process = error.process
    # A killed process has not said why; its last lines follow anyway.
    what = f"{process.name} was {process.exit_status()}" if kind == "signal" else str(error)
    return Failure(
        kind,
        what,
        host,
        process.name,
        STOPPED if process.returncode is None else process.exit_status(),
        _tail(process.log),
    )


def _kind(error: ProcessFailed, memory_was_short: bool) -> Kind:
    if error.hung:
        return "not started" if isinstance(error, DidNotStart) else "hang"
    process = error.process
    if memory_was_short or any(sign in failure_reason(process.log) for sign in _NO_MEMORY):
        return "out of memory"
    if (process.returncode or 0) < 0:
        return "signal"
    return "not started" if isinstance(error, DidNotStart) else "exception"


def _killed_for_memory() -> int:
    """Return how many processes of this host the kernel has killed for want of memory since it booted."""
    fields = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    return int(fields.get("oom_kill", 0))


def _tail(log: Path) -> list[str]:
    with log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _BIT_OF_LOG))
        return list(deque(stream.read().decode(errors="replace").splitlines(), _TAIL_LINES))
