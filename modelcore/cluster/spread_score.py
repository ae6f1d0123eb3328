"""Scores samples on the hosts of a cluster, a batch at a time; this host counts the outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from modelcore.cluster.spread import connected, spread
from modelcore.cluster.spread_job import ScoreJob
from modelcore.config.training import Cluster
from modelcore.evaluation.score import limits_of, score
from modelcore.progress import Progress
from modelcore.sandbox.limits import Limits
from modelcore.sandbox.pool import Pool
from modelcore.sandbox.sample import Sample
from modelcore.sandbox.verdicts import Outcome

__all__ = ["score_on_hosts"]

_BATCH = 16  # samples that one host executes at a time, one after the other

Numbered = tuple[int, Sample]


class _Hosts:
    """Executes samples on the cluster's hosts, all at the isolation level that works on this one."""

    def __init__(self, cluster: Cluster, limits: Limits, minimum: str | None) -> None:
        self._cluster, self._limits = cluster, limits
        with Pool(workers=1, limits=limits, minimum=minimum) as pool:
            self.level = pool.level

    def run(self, samples: Iterable[Numbered]) -> Iterator[tuple[int, Outcome]]:
        """Yield (number, outcome) for every (number, sample), in their order."""
        common = (self._limits, self.level)
        for _, outcomes in spread(_execute, common, _batches(iter(samples)), self._cluster):
            yield from outcomes


def _batches(samples: Iterator[Numbered]) -> Iterator[list[Numbered]]:
    while batch := list(islice(samples, _BATCH)):
        yield batch


def _execute(common: tuple[Limits, str], batch: list[Numbered]) -> list[tuple[int, Outcome]]:
    """Execute a batch on the host that this runs on; what a completion writes is removed."""
    limits, level = common
    with Pool(workers=1, limits=limits, level=level) as pool:
        return sorted(pool.run(batch), key=lambda one: one[0])


def score_on_hosts(job: ScoreJob, progress: Progress) -> None:
    """Score the samples of a job.

    Raises:
        MindrailError, StepFailed: as `score`; there is no cluster.
    """
    limits = limits_of(job.options)

    @contextmanager
    def hosts() -> Iterator[_Hosts]:
        with connected(job.cluster.address):
            yield _Hosts(job.cluster, limits, job.options.require_isolation)

    score(
        Path(job.samples),
        job.benchmark,
        Path(job.destination),
        template=job.template,
        k=tuple(job.options.k),
        limits=limits,
        executor=hosts,
        progress=progress,
    )
