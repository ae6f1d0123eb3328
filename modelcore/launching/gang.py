"""Runs a program as the ranks of one job on this host, or as a single process, supervised.

A gang succeeds whole or fails whole: the first rank that dies, hangs or refuses its input ends all of them
within a tenth of a second, and the error names it and its reason. Nothing of a gang survives its supervisor,
however that ends (see `leash`). Does not resume anything: when a caller runs a gang again, the program finds
its own checkpoint.

The program exits with 0 when done and with 2, after one line on standard error, for bad input. It reports its
progress through `FileProgress` to the file named by MINDRAIL_PROGRESS: the first time as soon as its
collectives are up, from then on more often than `hang_timeout`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from modelcore.launching.heartbeat import Heartbeat
from modelcore.launching.process import LeashedProcess, stop_all
from modelcore.launching.rank_environment import (
    free_port,
    program_environment,
    rank_environment,
    scheduler_environment,
)
from modelcore.launching.watch import DidNotStart, Watch
from modelcore.progress import Progress, silent

__all__ = ["run_gang", "run_program"]

_STARTS = 3
# MindSpore's ranks find each other through the scheduler; it computes nothing and ends after the last rank.
_SCHEDULER = [sys.executable, "-c", "from mindspore.communication import init; init()"]

_log = logging.getLogger(__name__)


def run_gang(
    command: Sequence[str],
    *,
    world_size: int,
    log_dir: Path,
    environment: Mapping[str, str] = {},
    start_timeout: float = 90,
    hang_timeout: float = 900,
    progress: Progress = silent,
) -> None:
    """Run `command` as `world_size` MindSpore ranks and a scheduler on this host until all exit with 0.

    MindSpore sometimes hangs for good while it starts, so a gang that has reported no progress in time is
    started again on another port, with twice the time, up to three times in all; the logs of a start that
    failed are kept in `log_dir/start_<n>/`.

    Args:
        command: what each rank runs; it finds its rank and the world size in RANK_ID and RANK_SIZE.
        world_size: number of ranks.
        log_dir: gets `scheduler.log`, `worker_<rank>.log` and `progress_<rank>.json`; made if missing.
        environment: added to every process's environment; overrides what is set here.
        start_timeout: seconds from the first start to the first progress of any rank.
        hang_timeout: seconds after which a gang without new progress of any rank is killed.
        progress: called with rank 0's progress.

    Raises:
        MindrailError: a rank exited with 2; the message is its last line.
        StepFailed: a rank died or the gang hung; which, how and why.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    for start in range(1, _STARTS + 1):
        timeout = start_timeout * 2 ** (start - 1)
        files = [_fresh(log_dir / f"progress_{index}.json") for index in range(world_size)]
        started: list[LeashedProcess] = []
        try:
            started.extend(_starting(command, files, environment, topology_timeout=timeout + 60))
            Watch(started[1:], started[:1], Heartbeat(files, progress), timeout, hang_timeout).wait()
        except DidNotStart as error:
            if start == _STARTS:
                raise
            _log.warning("start %d of %d failed, starting again on another port: %s", start, _STARTS, error)
            _move_logs(log_dir, log_dir / f"start_{start}")
        else:
            return
        finally:
            stop_all(started)


def run_program(
    command: Sequence[str],
    *,
    log_dir: Path,
    environment: Mapping[str, str] = {},
    hang_timeout: float = 900,
    progress: Progress = silent,
) -> None:
    """Run `command` as one process without collectives until it has exited with 0.

    Args and Raises: as `run_gang`; `log_dir` gets `program.log` and `progress.json`.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    file = _fresh(log_dir / "progress.json")
    inherited = program_environment({**os.environ, **environment}, file, processes=1)
    program = LeashedProcess("the program", command, environment=inherited, log=log_dir / "program.log")
    Watch([program], [], Heartbeat([file], progress), hang_timeout, hang_timeout).wait()


def _starting(
    command: Sequence[str],
    progress_files: Sequence[Path],
    environment: Mapping[str, str],
    *,
    topology_timeout: float,
) -> Iterator[LeashedProcess]:
    """Start the scheduler, then each rank, their logs beside the progress files."""
    port, world_size, log_dir = free_port(), len(progress_files), progress_files[0].parent
    of_scheduler = scheduler_environment(world_size, port, topology_timeout=topology_timeout)
    yield LeashedProcess(
        "the scheduler",
        _SCHEDULER,
        environment={**os.environ, **of_scheduler, **environment},
        log=log_dir / "scheduler.log",
    )
    for index, progress_file in enumerate(progress_files):
        of_rank = rank_environment(index, world_size, port, topology_timeout=topology_timeout)
        inherited = {**os.environ, **of_rank, **environment}
        yield LeashedProcess(
            f"rank {index}",
            command,
            environment=program_environment(inherited, progress_file, processes=world_size),
            log=log_dir / f"worker_{index}.log",
        )


def _fresh(progress_file: Path) -> Path:
    progress_file.unlink(missing_ok=True)
    return progress_file


def _move_logs(log_dir: Path, kept: Path) -> None:
    kept.mkdir(exist_ok=True)
    for file in [*log_dir.glob("*.log"), *log_dir.glob("progress_*.json")]:
        file.replace(kept / file.name)
