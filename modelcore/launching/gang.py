"""Runs a program as ranks of one job on this host (all of the job's, or its share), or as a single process.

All are supervised. A gang succeeds whole or fails whole: the first rank that dies, hangs or refuses its input
ends all of them within a tenth of a second, and the error names it and its reason. Nothing of a gang survives
its supervisor, however that ends (see `leash`). Does not resume anything: when a caller runs a gang again,
the program finds its own checkpoint.

The program exits with 0 when done and with 2, after one line on standard error, for bad input. It reports its
progress through `FileProgress` to the file named by MINDRAIL_PROGRESS: the first time as soon as its
collectives are up, from then on more often than `hang_timeout`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from modelcore.launching.heartbeat import Heartbeat
from modelcore.launching.process import LeashedProcess, stop_all
from modelcore.launching.rank_environment import LOCALHOST, Rendezvous, free_port, program_environment
from modelcore.launching.watch import DidNotStart, Watch, always
from modelcore.progress import Progress, silent

__all__ = ["STARTS", "run_gang", "run_part", "run_program"]

STARTS = 3
"""How often a gang that hangs while it starts is started in all."""
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
    hang_steps: int | None = None,
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
        hang_steps: the same, counted in steps of the usual length; see `Heartbeat.allowed`.
        progress: called with rank 0's progress.

    Raises:
        MindrailError: a rank exited with 2; the message is its last line.
        StepFailed: a rank died or the gang hung; which, how and why.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    for start in range(1, STARTS + 1):
        timeout = start_timeout * 2 ** (start - 1)
        try:
            run_part(
                command,
                ranks=range(world_size),
                rendezvous=Rendezvous(world_size, LOCALHOST, free_port(), timeout + 60),
                log_dir=log_dir,
                environment=environment,
                start_timeout=timeout,
                hang_timeout=hang_timeout,
                hang_steps=hang_steps,
                progress=progress,
            )
        except DidNotStart as error:
            if start == STARTS:
                raise
            _log.warning("start %d of %d failed, starting again on another port: %s", start, STARTS, error)
            _move_logs(log_dir, log_dir / f"start_{start}")
        else:
            return


def run_part(
    command: Sequence[str],
    *,
    ranks: Sequence[int],
    rendezvous: Rendezvous,
    log_dir: Path,
    environment: Mapping[str, str],
    start_timeout: float,
    hang_timeout: float,
    hang_steps: int | None = None,
    progress: Progress = silent,
    guard: Callable[[], None] = always,
) -> None:
    """Run the ranks of a gang that belong to this host until all exit with 0; started once.

    Args:
        command: as of `run_gang`.
        ranks: this host's; whoever has rank 0 runs the scheduler, too.
        rendezvous: how they find each other; the same on every host.
        log_dir: as of `run_gang`; exists.
        environment: added to every process's environment; overrides what is set here.
        start_timeout: seconds to the first progress of any of these ranks.
        hang_timeout: seconds after which the ranks are killed if none of them made progress.
        hang_steps: as of `run_gang`.
        progress: called with the first rank's progress.
        guard: called several times a second; what it raises ends the ranks.

    Raises:
        InputRefused: a rank exited with 2.
        ProcessFailed: a rank or the scheduler died, or the ranks hung; `DidNotStart` before any progress.
    """
    files = [_fresh(log_dir / f"progress_{rank}.json") for rank in ranks]
    helpers: list[LeashedProcess] = []
    workers: list[LeashedProcess] = []
    try:
        if 0 in ranks:
            helpers.append(_scheduler(rendezvous, environment, log_dir))
        workers.extend(_workers(command, ranks, rendezvous, environment, files))
        heartbeat = Heartbeat(files, progress)
        Watch(workers, helpers, heartbeat, start_timeout, hang_timeout, hang_steps, guard).wait()
    finally:
        stop_all([*workers, *helpers])


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


def _scheduler(rendezvous: Rendezvous, environment: Mapping[str, str], log_dir: Path) -> LeashedProcess:
    inherited = {**os.environ, **rendezvous.of_scheduler(), **environment}
    return LeashedProcess("the scheduler", _SCHEDULER, environment=inherited, log=log_dir / "scheduler.log")


def _workers(
    command: Sequence[str],
    ranks: Sequence[int],
    rendezvous: Rendezvous,
    environment: Mapping[str, str],
    progress_files: Sequence[Path],
) -> Iterator[LeashedProcess]:
    """Start each rank, its log beside its progress file."""
    for device, (rank, progress_file) in enumerate(zip(ranks, progress_files, strict=True)):
        inherited = {**os.environ, **rendezvous.of_rank(rank, device), **environment}
        yield LeashedProcess(
            f"rank {rank}",
            command,
            environment=program_environment(inherited, progress_file, processes=len(ranks)),
            log=progress_file.parent / f"worker_{rank}.log",
        )


def _fresh(progress_file: Path) -> Path:
    progress_file.unlink(missing_ok=True)
    return progress_file


def _move_logs(log_dir: Path, kept: Path) -> None:
    kept.mkdir(exist_ok=True)
    for file in [*log_dir.glob("*.log"), *log_dir.glob("progress_*.json")]:
        file.replace(kept / file.name)
