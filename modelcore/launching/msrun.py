"""Command lines and environments for a job on several hosts, one command on each host. Runs nothing.

On Ascend either MindSpore's own `msrun` starts the ranks of a host, or each rank is started by hand with a
rank table. The msrun command was run with CPU ranks on two hosts (network namespaces); nothing here was run
on Ascend.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.launching.rank_table import RankTable, Server

__all__ = ["failure_limits", "msrun_command", "rank_table_environments"]


def msrun_command(
    python_arguments: Sequence[str],
    *,
    hosts: Sequence[str],
    host_index: int,
    ranks_per_host: int,
    log_dir: Path,
    port: int = 8118,
    cluster_timeout_s: int = 600,
) -> list[str]:
    """Return the command to run on host `host_index` of `hosts`; the first host runs the scheduler too.

    Args:
        python_arguments: what each rank runs: a file, or `-m` and a module, and its arguments. msrun finds
            `python` on the PATH, and would take the path of another interpreter for a script.
        hosts: the addresses of all hosts, in rank order.
        host_index: which of them this command is for.
        ranks_per_host: how many ranks each runs; rank = host index × ranks per host + local rank.
        log_dir: gets scheduler.log and worker_<rank>.log.
        port: the scheduler's, free on the first host.
        cluster_timeout_s: how long the ranks wait for each other at the start.

    Raises:
        MindrailError: no such host, one named twice, or a number out of range.
    """
    if len(set(hosts)) != len(hosts):
        raise MindrailError("a host is named twice", where="hosts")
    if not 0 <= host_index < len(hosts):
        raise MindrailError(f"host index {host_index}, but {len(hosts)} hosts", where="hosts")
    if ranks_per_host < 1:
        raise MindrailError(f"{ranks_per_host} ranks on a host", where="ranks_per_host", fix="at least 1")
    if not 1024 <= port <= 65535:
        raise MindrailError(f"{port} is not a port that msrun takes", where="port", fix="1024-65535")
    return [
        "msrun",
        f"--worker_num={len(hosts) * ranks_per_host}",
        f"--local_worker_num={ranks_per_host}",
        f"--master_addr={hosts[0]}",
        f"--master_port={port}",
        f"--node_rank={host_index}",
        f"--log_dir={log_dir}",
        "--join=True",  # without it msrun returns 0 whatever happens
        f"--cluster_time_out={cluster_timeout_s}",
        "python",
        *python_arguments,
    ]


def failure_limits(*, heartbeat_s: int = 30, receive_s: int = 60) -> dict[str, str]:
    """Return what makes MindSpore notice a lost host: the seconds it waits for a heartbeat, for a message."""
    return {"MS_NODE_TIMEOUT": str(heartbeat_s), "MS_RECEIVE_MSG_TIMEOUT": str(receive_s)}


def rank_table_environments(
    table: RankTable, server: Server, path: Path, *, connect_timeout_s: int = 600
) -> list[dict[str, str]]:
    """Return the environment of each rank of `server`, in rank order, started with the rank table at `path`.

    The variables are those of MindSpore's "rank table startup" and HCCL's HCCL_CONNECT_TIMEOUT.
    """
    return [
        {
            "RANK_TABLE_FILE": str(path.absolute()),
            "RANK_ID": str(device.rank_id),
            "RANK_SIZE": str(table.world_size),
            "DEVICE_ID": str(device.device_id),
            "HCCL_CONNECT_TIMEOUT": str(connect_timeout_s),
        }
        for device in server.devices
    ]
