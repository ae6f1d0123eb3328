"""The environment variables by which a process of a gang knows its rank and finds the others.

MindSpore's own names, from "Dynamic cluster startup" in its documentation. One host; nothing is started here.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Mapping
from pathlib import Path

from modelcore.errors import StepFailed

__all__ = [
    "PROGRESS_VARIABLE",
    "cores_per_process",
    "free_port",
    "program_environment",
    "rank_environment",
    "scheduler_environment",
]

PROGRESS_VARIABLE = "MINDRAIL_PROGRESS"
_HOST = "127.0.0.1"
# Below the ports that Linux gives to outgoing connections (from 32768), so that none of those takes it first.
_PORTS = range(20000, 32000)


def free_port() -> int:
    """Return a TCP port of this host on which nothing listens now."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe:
            if probe.connect_ex((_HOST, port)) != 0:
                return port
    raise StepFailed(f"no free TCP port among 100 tried of {_PORTS.start}-{_PORTS.stop - 1}")


def scheduler_environment(world_size: int, port: int, *, topology_timeout: float) -> dict[str, str]:
    """Return the environment of the scheduler of `world_size` ranks; `topology_timeout` in seconds."""
    return {"MS_ROLE": "MS_SCHED", **_cluster(world_size, port, topology_timeout)}


def rank_environment(index: int, world_size: int, port: int, *, topology_timeout: float) -> dict[str, str]:
    """Return the environment of rank `index` of `world_size`; `topology_timeout` in seconds."""
    return {
        "MS_ROLE": "MS_WORKER",
        "MS_NODE_ID": str(index),
        "RANK_ID": str(index),
        "RANK_SIZE": str(world_size),
        "DEVICE_ID": str(index),
        **_cluster(world_size, port, topology_timeout),
    }


def _cluster(world_size: int, port: int, topology_timeout: float) -> dict[str, str]:
    return {
        "MS_WORKER_NUM": str(world_size),
        "MS_SCHED_HOST": _HOST,
        "MS_SCHED_PORT": str(port),
        "MS_TOPO_TIMEOUT": str(round(topology_timeout)),
    }


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
