"""The environment variables by which a process of a gang knows its rank and finds the others.

MindSpore's own names, from "Dynamic cluster startup" in its documentation. Nothing is started here.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelcore.errors import StepFailed
from modelcore.progress import FileProgress, Progress, silent

__all__ = [
    "LOCALHOST",
    "PROGRESS_VARIABLE",
    "Rendezvous",
    "cores_per_process",
    "free_port",
    "program_environment",
    "supervised_progress",
]

PROGRESS_VARIABLE = "MINDRAIL_PROGRESS"
LOCALHOST = "127.0.0.1"
# Below the ports that Linux gives to outgoing connections (from 32768), so that none of those takes it first.
_PORTS = range(20000, 32000)


@dataclass(frozen=True)
class Rendezvous:
    """How the processes of one gang find each other.

    Attributes:
        world_size: ranks in all, over all hosts.
        host: address of the host that runs the scheduler.
        port: the scheduler's, on that host.
        timeout: seconds that ranks and scheduler wait for each other.
    """

    world_size: int
    host: str
    port: int
    timeout: float

    def of_scheduler(self) -> dict[str, str]:
        """Return the environment of the scheduler."""
        return {"MS_ROLE": "MS_SCHED", **self._shared()}

    def of_rank(self, rank: int, device: int) -> dict[str, str]:
        """Return the environment of a rank on the device of that number of its host."""
        return {
            "MS_ROLE": "MS_WORKER",
            "MS_NODE_ID": str(rank),
            "RANK_ID": str(rank),
            "RANK_SIZE": str(self.world_size),
            "DEVICE_ID": str(device),
            **self._shared(),
        }

    def _shared(self) -> dict[str, str]:
        return {
            "MS_WORKER_NUM": str(self.world_size),
            "MS_SCHED_HOST": self.host,
            "MS_SCHED_PORT": str(self.port),
            "MS_TOPO_TIMEOUT": str(round(self.timeout)),
        }


def free_port(host: str = LOCALHOST) -> int:
    """Return a TCP port on which nothing listens now at this address of this host."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) != 0:
                return port
    raise StepFailed(f"no free TCP port among 100 tried of {_PORTS.start}-{_PORTS.stop - 1}")


def program_environment(
    inherited: Mapping[str, str], progress_file: Path, *, processes: int
) -> dict[str, str]:
    """Return `inherited` with what every program of ours needs.

    Its progress file; its share of the cores, unless the user has set one; unbuffered output, so that the log
    of a killed process is complete; the stacks of its threads if it dies by a signal.
    """
    defaults = {
        "OMP_NUM_THREADS": str(cores_per_process(processes)),
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
    }
    return {**defaults, **inherited, PROGRESS_VARIABLE: str(progress_file)}


def cores_per_process(processes: int) -> int:
    """Return how many cores each of `processes` on this host may use, of those this process may use."""
    return max(1, len(os.sched_getaffinity(0)) // processes)


def supervised_progress() -> Progress:
    """Return what reports this program's progress to its supervisor; silent where it has none."""
    path = os.environ.get(PROGRESS_VARIABLE)
    return FileProgress(Path(path)) if path else silent
