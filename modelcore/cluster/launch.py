"""Runs a job on the hosts of a Ray cluster, and survives the cluster's end. Ray itself is in the driver only.

What several hosts write is on a disk that all of them share, or is copied to them and back: the job's
directory, and what the ranks read.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from modelcore.cluster.job import BUG, FAILED_WORK, ClusterJob, JobInput
from modelcore.cluster.records import Ended, in_words, read_attempts
from modelcore.config.training import Cluster
from modelcore.errors import MindrailError, StepFailed
from modelcore.launching.failure_reason import last_line
from modelcore.launching.gang import run_program
from modelcore.launching.watch import ProcessFailed
from modelcore.progress import Progress, silent

__all__ = ["check_ray", "run_on_cluster"]

# The driver reports every second, but for the minute that Ray needs to notice that its head is gone.
_DRIVER_HANG_S = 180.0
_CLIENT = "ray://"
_INHERITED = ("OMP_NUM_THREADS",)


def check_ray(address: str = "auto") -> None:
    """Refuse to continue without Ray, or without its client where `launch.cluster.address` needs it.

    Raises:
        MindrailError: it is not installed.
    """
    fix = "pip install 'mindrail[cluster]' on every host"
    if find_spec("ray") is None:
        raise MindrailError("Ray is not installed", where="launch.cluster", fix=fix)
    if address.startswith(_CLIENT) and find_spec("grpc") is None:
        what = f"{address} needs Ray's client, whose grpcio is not installed"
        raise MindrailError(what, where="launch.cluster.address", fix=fix)


def run_on_cluster(
    arguments: Sequence[str],
    cluster: Cluster,
    *,
    log_dir: Path,
    inputs: Sequence[JobInput] = (),
    output: Path | None = None,
    environment: Mapping[str, str] = {},
    start_timeout: float = 90,
    hang_timeout: float = 900,
    hang_steps: int | None = None,
    retries: int = 2,
    progress: Progress = silent,
    log: Callable[[str], None] = print,
) -> None:
    """Run Python with `arguments` as the ranks of one gang over the cluster's hosts until all exit with 0.

    A gang that loses a host or a rank is started again, on the hosts that are there then; the program finds
    its own checkpoint. It reports the steps that it resumes from with the note "compiling".

    Args:
        arguments: of the Python of each host: `-m`, a module, its arguments.
        cluster: the hosts.
        log_dir: gets `attempts.jsonl`, the driver's log and a directory of ranks' logs for each attempt; on a
            disk that all hosts share, unless `output` is given.
        inputs: files that the program reads; a host that does not see the job's directory gets copies.
        output: directory that the program fills: `rank_<r>/`, `checkpoints/*/step_*/rank_<r>/` and, by rank
            0, other files; `log_dir` is `logs` in it. Copied back from hosts that do not see it.
        environment: added to every rank's environment.
        start_timeout: seconds from the start of the ranks to the first progress.
        hang_timeout: seconds after which a gang without new progress is ended.
        hang_steps: the same, counted in steps of the usual length; see `Heartbeat.allowed`.
        retries: how often it is started again after a fault of the program's own; lost hosts count apart.
        progress: called with rank 0's progress, or with what is waited for.
        log: gets a line for each attempt that starts or ends, and the last lines of what failed first.

    Raises:
        MindrailError: Ray is not installed, a rank exited with 2, or the hosts do not fit together.
        StepFailed: the attempts are used up, or there were not enough hosts in time.
    """
    check_ray(cluster.address)
    log_dir.mkdir(parents=True, exist_ok=True)
    job = log_dir / "job.json"
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    ClusterJob(
        arguments=list(arguments),
        cluster=cluster,
        logs=str(log_dir),
        inputs=list(inputs),
        output=None if output is None else str(output),
        environment={**inherited, **environment},
        start_timeout=start_timeout,
        hang_timeout=hang_timeout,
        hang_steps=hang_steps,
        program_retries=retries,
    ).write(job)
    _drive_to_the_end(job, cluster, log_dir, _Narrator(log_dir, progress, log), log)


def _drive_to_the_end(
    job: Path, cluster: Cluster, log_dir: Path, narrator: _Narrator, log: Callable[[str], None]
) -> None:
    """Start drivers until one ends the job, as the cluster may end them.

    One that could not even begin an attempt found no cluster: for that it is not counted, but timed.
    """
    lost, deadline = 0, time.monotonic() + cluster.spare_wait
    while True:
        known = narrator.events
        try:
            _drive(job, log_dir, narrator)
            return
        except _ClusterLost as error:
            if narrator.is_finished:
                return
            if narrator.events > known:
                lost, deadline = lost + 1, time.monotonic() + cluster.spare_wait
                log(f"{error}; connecting to the cluster again")
            if lost > cluster.host_retries or time.monotonic() > deadline:
                raise
        finally:
            narrator.catch_up()
        time.sleep(cluster.retry_delay)


class _ClusterLost(StepFailed):
    """The driver ended without a reason of its own: Ray ended it, or somebody killed it."""


class _Narrator:
    """Logs what the driver adds to the journal, and passes progress on."""

    def __init__(self, logs: Path, progress: Progress, log: Callable[[str], None]) -> None:
        self._logs, self._progress, self._log = logs, progress, log
        self._last: tuple[float, float | None, str, str] | None = None
        self._before = self._seen = len(read_attempts(logs))

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        if (state := (done, total, unit, note)) != self._last:  # the driver repeats itself: it is alive
            self._progress(*state)
            self._last = state
        self.catch_up()

    @property
    def events(self) -> int:
        """How many events the journal has."""
        return len(read_attempts(self._logs))

    @property
    def is_finished(self) -> bool:
        """Whether an attempt of this run has finished the job: only the driver's own end was missing."""
        new = read_attempts(self._logs)[self._before :]
        return any(isinstance(event, Ended) and event.failure is None for event in new)

    def catch_up(self) -> None:
        """Log what is new in the journal."""
        events = read_attempts(self._logs)
        for event in events[self._seen :]:
            self._log(in_words(event))
            if isinstance(event, Ended) and event.failure is not None and event.failure.tail:
                failure = event.failure
                lines = "".join(f"\n  {line}" for line in failure.tail)
                self._log(f"the last lines of {failure.process} on host {failure.host}:{lines}")
        self._seen = len(events)


def _drive(job: Path, log_dir: Path, narrator: _Narrator) -> None:
    """Run a driver to its end.

    Raises:
        MindrailError, StepFailed: what it ended with.
    """
    try:
        run_program(
            [sys.executable, "-m", "modelcore.cluster.driver", str(job)],
            log_dir=log_dir,
            hang_timeout=_DRIVER_HANG_S,
            progress=narrator,
        )
    except ProcessFailed as error:
        if error.process.returncode == FAILED_WORK:
            raise StepFailed(last_line(error.process.log)) from None
        if error.process.returncode == BUG:
            raise
        raise _ClusterLost(f"the cluster's driver ended ({error.process.exit_status()})") from error
