"""What to run on each host to start a job by hand: with msrun, or with a rank table. Runs nothing.

Each host's part is a list of lines for its shell. Never run on Ascend; the msrun command was run with CPU
ranks on two hosts (network namespaces).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from modelcore.launching.msrun import msrun_command, rank_table_environments
from modelcore.launching.rank_table import RankTable

__all__ = ["msrun_lines", "rank_table_lines"]


def msrun_lines(
    python_arguments: Sequence[str],
    *,
    hosts: Sequence[str],
    ranks_per_host: int,
    log_dir: Path,
    port: int,
    environment: Mapping[str, str],
) -> dict[str, list[str]]:
    """Return the lines of each host.

    Args and Raises: as of `msrun_command`; `environment` is exported first.
    """
    return {
        host: [
            *_exports(environment),
            shlex.join(
                msrun_command(
                    python_arguments,
                    hosts=hosts,
                    host_index=index,
                    ranks_per_host=ranks_per_host,
                    log_dir=log_dir,
                    port=port,
                )
            ),
        ]
        for index, host in enumerate(hosts)
    }


def rank_table_lines(
    python_arguments: Sequence[str],
    *,
    table: RankTable,
    path: Path,
    log_dir: Path,
    environment: Mapping[str, str],
) -> dict[str, list[str]]:
    """Return the lines of each host of a rank table: one for each rank, which runs in the background.

    The last line waits for all ranks of the host and fails if one of them did.

    Args:
        python_arguments: what each rank runs.
        table: the job's.
        path: of the table's file, the same on every host.
        log_dir: gets worker_<rank>.log.
        environment: exported first.
    """
    lines: dict[str, list[str]] = {}
    for server in table.servers:
        lines[server.server_id] = [*_exports(environment), f"mkdir -p {shlex.quote(str(log_dir))}", "pids="]
        for variables in rank_table_environments(table, server, path):
            settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
            log = shlex.quote(str(log_dir / f"worker_{variables['RANK_ID']}.log"))
            command = shlex.join(["python", *python_arguments])
            lines[server.server_id].append(f'{settings} {command} > {log} 2>&1 & pids="$pids $!"')
        lines[server.server_id].append(
            "failed=0; for pid in $pids; do wait $pid || failed=1; done; test $failed = 0"
        )
    return lines


def _exports(environment: Mapping[str, str]) -> list[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
