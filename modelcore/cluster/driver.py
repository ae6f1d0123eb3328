"""The driver of a job on a cluster: `python -m modelcore.cluster.driver job.json`.

It starts one attempt after the other until one finishes the job, a limit is reached or another attempt would
not help. A process of its own, because Ray ends the processes that are connected to a cluster when the
cluster ends; `modelcore.cluster.launch` starts it and survives that. Exit codes: 0 done, 2 bad input, 75
failed work (the last line on standard error says why), 70 a bug; with others Ray or somebody else ended it.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import ray
from ray.exceptions import AuthenticationError

from modelcore.cluster.agent import Share
from modelcore.cluster.attempt import Attempt
from modelcore.cluster.exchange import Exchange, RemoteHost, Unreachable
from modelcore.cluster.gang import AttemptFailed, HostAgent, check, end, enlist, scheduler_port, supervise
from modelcore.cluster.hosts import Hosts, NoHosts
from modelcore.cluster.job import BUG, CLUSTER_LOST, FAILED_WORK, ClusterJob
from modelcore.cluster.records import (
    Ended,
    Event,
    Failure,
    Resumed,
    Started,
    as_record,
    open_journal,
)
from modelcore.errors import MindrailError, StepFailed
from modelcore.launching.gang import STARTS
from modelcore.launching.rank_environment import PROGRESS_VARIABLE, Rendezvous
from modelcore.progress import FileProgress, Progress, read_progress, silent

__all__ = ["Driver"]

_EXTRA_TOPOLOGY_S = 60.0


class Driver:
    """Runs one job to its end.

    Args:
        job: what to run, and where.
        progress: gets that of rank 0, or what the driver waits for; called every second or more often.
    """

    def __init__(self, job: ClusterJob, progress: Progress) -> None:
        self._job, self._progress, self._logs = job, progress, Path(job.logs)
        self._hosts = Hosts(job.cluster, self._wait)
        self._journal = open_journal(self._logs)
        self._current = self._logs / "attempt"
        self._attempts = int(self._current.read_text()) if self._current.exists() else 0
        self._failed: Ended | None = None  # the attempt before, until its successor has resumed
        self._noticed = 0.0
        self._steps = 0.0  # of rank 0 in this attempt, as its agent has reported them
        self._lost_hosts = self._faults = self._bad_starts = 0

    def run(self) -> None:
        """Return when an attempt has finished the job.

        Raises:
            MindrailError: bad input, which no other attempt would mend.
            StepFailed: too many attempts failed, or there were not enough hosts in time.
        """
        _connect(self._job.cluster.address, self._job.cluster.spare_wait, self._wait)
        while not self._attempt():
            time.sleep(self._job.cluster.retry_delay)

    def _attempt(self) -> bool:
        """Do and record one attempt; return whether it finished the job, raise if there is to be no other."""
        self._attempts += 1
        asked = time.monotonic()
        group = self._hosts.reserve()
        attempt = Attempt(self._attempts, self._current)
        attempt.begin()
        agents: list[HostAgent] = []
        exchange: Exchange | None = None
        self._steps = 0.0
        began = time.monotonic()
        try:
            agents = enlist(group, self._hosts.bundle, self._job.cluster.lease)
            shares = self._shares(agents, attempt)
            exchange = self._exchange(agents, shares)
            with _reported():
                exchange.send(self._current, attempt.number, self._log_dir(attempt), self._wait)
            self._record(_started(attempt, agents, time.monotonic() - asked))
            began = time.monotonic()
            exchange.start_collecting()
            supervise(agents, shares, self._job.cluster.lease, self._tick)
            with _reported():
                exchange.results(self._wait)
            # Before anything that a cluster which is just ending might not let us do any more.
            self._record(Ended(attempt.number, _since(began), self._done(attempt), None, 0.0))
            return True
        except AttemptFailed as error:
            failed, noticed = error, time.monotonic()
            for node in error.suspects:
                self._hosts.suspect(node)
        finally:
            end(agents, group)
            if exchange is not None:
                exchange.stop()
        self._go_on_after(failed.failure, attempt, began, noticed)
        return False

    def _go_on_after(self, failure: Failure, attempt: Attempt, began: float, noticed: float) -> None:
        """Record a failed attempt of which nothing runs any more; raise if there is to be no other."""
        give_up = self._give_up(failure)
        ended = Ended(
            attempt.number,
            round(noticed - began, 3),
            self._done(attempt),
            failure,
            _since(noticed),
            "starts again from the last checkpoint" if give_up is None else "given up",
        )
        self._record(ended)
        self._failed, self._noticed = ended, noticed
        if give_up is not None:
            raise give_up

    def _give_up(self, failure: Failure) -> MindrailError | None:
        """Count a failure; return the error to end with if there is to be no other attempt."""
        cluster, job = self._job.cluster, self._job
        if failure.kind == "bad input":
            return MindrailError(failure.what)
        if failure.is_of_host:
            self._lost_hosts += 1
            over, limit = self._lost_hosts > cluster.host_retries, "launch.cluster.host_retries"
            count = self._lost_hosts
        elif failure.kind == "not started":
            self._bad_starts += 1
            over, limit, count = self._bad_starts >= STARTS, "starts", self._bad_starts
        else:
            self._faults += 1
            over, limit, count = self._faults > job.program_retries, "launch.retries", self._faults
        if not over:
            return None
        return StepFailed(f"{failure} ({failure.kind}, number {count} in this run; limit: {limit})")

    def _exchange(self, agents: list[HostAgent], shares: list[Share]) -> Exchange:
        """Compare the hosts, and return what copies files to those that do not see the job's directory."""
        job = self._job
        must_share = job.output is None or job.cluster.shared == "required"
        apart = check(agents, self._logs, must_share=must_share)
        hosts = [
            RemoteHost(agent.node, agent.address, list(share.ranks))
            for agent, share in zip(agents, shares, strict=True)
            if agent in apart
        ]
        output = self._logs.parent if job.output is None else Path(job.output)
        return Exchange(hosts, job.inputs, output, job.cluster.world_size)

    def _shares(self, agents: list[HostAgent], attempt: Attempt) -> list[Share]:
        job, cluster = self._job, self._job.cluster
        log_dir = self._log_dir(attempt)
        log_dir.mkdir(exist_ok=True)
        start_timeout = job.start_timeout * 2**self._bad_starts
        rendezvous = Rendezvous(
            cluster.world_size, agents[0].address, scheduler_port(agents), start_timeout + _EXTRA_TOPOLOGY_S
        )
        return [
            Share(
                agent.address,
                job.arguments,
                range(index * cluster.ranks_per_host, (index + 1) * cluster.ranks_per_host),
                rendezvous,
                str(log_dir),
                {**attempt.environment(), **job.environment},
                start_timeout,
                job.hang_timeout,
                job.hang_steps,
            )
            for index, agent in enumerate(agents)
        ]

    def _log_dir(self, attempt: Attempt) -> Path:
        return self._logs / f"attempt_{attempt.number}"

    def _done(self, attempt: Attempt) -> float:
        """Return the steps that rank 0 had done; its host may be gone, so not from its agent."""
        state = read_progress(self._log_dir(attempt) / "progress_0.json")
        return self._steps if state is None else state[0]

    def _tick(self, first: HostAgent) -> None:
        if first.status is not None:
            self._steps = first.status[0]
        if self._failed is not None and first.resumed_from is not None:
            lost = max(0.0, self._failed.done - first.resumed_from)
            after = round(time.monotonic() - self._noticed, 3)
            self._record(Resumed(self._attempts, first.resumed_from, lost, after))
            self._failed = None
        if first.status is None:
            self._wait("starting ranks")
        else:
            self._progress(*first.status)

    def _wait(self, reason: str) -> None:
        self._progress(0, None, "steps", reason)

    def _record(self, event: Event) -> None:
        self._journal.append(as_record(event))


def _connect(address: str, wait: float, waiting: Callable[[str], None]) -> None:
    """Connect to the cluster, waiting for it if it is not there.

    Raises:
        NoHosts: it did not come in time.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            ray.init(address=address, namespace="mindrail", log_to_driver=False, logging_level="ERROR")
            return
        except ConnectionError as error:
            if time.monotonic() > deadline:
                raise NoHosts(
                    f"no Ray cluster there for {wait:g} s",
                    where=f"launch.cluster.address {address}",
                    fix="start it with `ray start --head`",
                ) from error
        waiting("waiting for the cluster")
        time.sleep(1)


@contextmanager
def _reported() -> Iterator[None]:
    """Raise the loss of a host while files are copied as that of the attempt."""
    try:
        yield
    except Unreachable as error:
        failure = Failure("host lost", error.reason, error.host.address)
        raise AttemptFailed(failure, [error.host.node]) from error


def _since(moment: float) -> float:
    return round(time.monotonic() - moment, 3)


def _started(attempt: Attempt, agents: list[HostAgent], waited: float) -> Started:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return Started(attempt.number, [agent.address for agent in agents], now, round(waited, 3))


def main(arguments: list[str]) -> int:
    """Run the job in the file named by the only argument; return the exit code."""
    path = os.environ.get(PROGRESS_VARIABLE)
    try:
        (job,) = arguments
        Driver(ClusterJob.read(Path(job)), FileProgress(Path(path)) if path else silent).run()
    except StepFailed as error:
        print(error, file=sys.stderr)
        return FAILED_WORK
    except MindrailError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  reported as a bug, with its traceback
        traceback.print_exc()
        return CLUSTER_LOST if _is_of_another_cluster(error) else BUG
    return 0


def _is_of_another_cluster(error: Exception) -> bool:
    """Return whether Ray refused a call because its head was started anew while this driver still ran."""
    return isinstance(error, AuthenticationError) and "WrongClusterID" in str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
