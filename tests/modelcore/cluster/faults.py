"""What can happen to a job on a cluster: how to do it, how to mend it, what the driver may call it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from tests.modelcore.cluster.conftest import Cluster
from tests.modelcore.cluster.hosts import Host

__all__ = ["FAULTS", "HANG_TIMEOUT_S", "Fault"]

HANG_TIMEOUT_S = 120.0
"""`launch.hang_timeout` of a job in which a rank is stopped; compiling on a busy machine takes a minute."""

Act = Callable[[Cluster, Host], object]


def _nothing(cluster: Cluster, host: Host) -> None:
    """Mend nothing."""


@dataclass(frozen=True)
class Fault:
    """One thing that happens to a host, or to the driver.

    Attributes:
        name: what the table calls it.
        kinds: what the driver may call it; none if it is not to notice anything, or is itself gone.
        strike: does it.
        heal: what somebody does about it.
        after: seconds until then.
        loses_driver: whether the launcher starts another driver.
    """

    name: str
    kinds: tuple[str, ...]
    strike: Act
    heal: Act = _nothing
    after: float = 0.0
    loses_driver: bool = False

    @property
    def ends_attempt(self) -> bool:
        """Whether the job has to be started again."""
        return bool(self.kinds) or self.loses_driver

    def happen(self, cluster: Cluster, host: Host) -> threading.Timer:
        """Do it now, and mend it later; join what is returned."""
        self.strike(cluster, host)
        healing = threading.Timer(self.after, self.heal, (cluster, host))
        healing.start()
        return healing


def _kill(containing: str) -> Act:
    return lambda cluster, host: host.kill(containing)


def _stop(containing: str) -> Act:
    return lambda cluster, host: host.kill(containing, signal.SIGSTOP)


_DRIVER = "-m modelcore.cluster.driver"
_RANK = "modelcore.training.rank"


def _stop_rank(cluster: Cluster, host: Host) -> None:
    """Stop the rank, but not its leash, whose command line contains the rank's."""
    for pid in set(host.pids(_RANK)) - set(host.pids("leash.py")):
        os.kill(pid, signal.SIGSTOP)


def _cut(cluster: Cluster, host: Host) -> None:
    host.cut()


def _join(cluster: Cluster, host: Host) -> None:
    cluster.join(host)


def _restart(cluster: Cluster, host: Host) -> None:
    cluster.restart(host)


FAULTS = (
    Fault("kill -9 of a rank", ("signal",), _kill(_RANK)),
    Fault("kill -9 of an agent", ("agent died",), _kill("ray::Agent")),
    Fault("kill -9 of a raylet, which is started again", ("host lost",), _kill("raylet/raylet"), _restart, 5),
    Fault("kill -9 of all on a host, which comes back", ("host lost",), _kill(""), _restart, 5),
    Fault("SIGSTOP of a rank", ("hang",), _stop_rank),
    Fault("SIGSTOP of an agent", ("host silent",), _stop("ray::Agent")),
    Fault("link cut for 3 s", (), _cut, _join, 3),
    Fault("link cut for 30 s", ("host silent",), _cut, _join, 30),
    Fault(
        "SIGSTOP of the driver for 10 s",
        ("host silent",),
        lambda cluster, host: cluster.first.kill(_DRIVER, signal.SIGSTOP),
        lambda cluster, host: cluster.first.kill(_DRIVER, signal.SIGCONT),
        10,
    ),
    Fault("kill -9 of the driver", (), lambda cluster, host: cluster.first.kill(_DRIVER), loses_driver=True),
)
