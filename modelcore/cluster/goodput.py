"""How much of a job's time counts when hosts fail, and how often it should save: Young's and Daly's model.

Hosts fail independently at a constant rate; the first failure ends the attempt, what was done since the last
checkpoint is lost, and the next attempt runs after a restart, which may fail, too. The expected time is that
of J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps" (2006); its
minimum is found exactly here. Not in the model: hosts that fail together, and the program's own faults.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = [
    "Durations",
    "Outlook",
    "best_interval",
    "goodput",
    "lost_per_failure",
    "outlook",
    "young_interval",
]


@dataclass(frozen=True)
class Durations:
    """What the model knows of a job and its hosts, in seconds.

    Attributes:
        step: one optimizer step.
        checkpoint: saving one; nothing else is done meanwhile.
        restart: from a failure until steps are taken again.
        host_mtbf: mean time between two failures of one host.
    """

    step: float
    checkpoint: float
    restart: float
    host_mtbf: float


@dataclass(frozen=True)
class Outlook:
    """A job on a number of hosts.

    Attributes:
        hosts: how many.
        failures: expected per day of steps.
        interval: best number of steps between two checkpoints.
        best: share of the time that counts, with that interval.
        given: the same with the interval that was asked about.
    """

    hosts: int
    failures: float
    interval: int
    best: float
    given: float


def goodput(interval: float, hosts: int, times: Durations) -> float:
    """Return the share of the time that makes steps which count.

    Args:
        interval: seconds of steps between two checkpoints.
        hosts: of the job.
        times: see `Durations`.
    """
    mtbf = times.host_mtbf / hosts
    exponent = (interval + times.checkpoint) / mtbf
    if exponent + times.restart / mtbf > 500:  # e^500: never an interval without a failure
        return 0.0
    return interval / (mtbf * math.exp(times.restart / mtbf) * math.expm1(exponent))


def best_interval(hosts: int, times: Durations) -> float:
    """Return the seconds of steps between two checkpoints with the highest goodput.

    There the derivative of the time is zero: (1 - t/M) e^((t + d)/M) = 1, which has one solution in (0, M).
    """
    mtbf = times.host_mtbf / hosts
    low, high = 0.0, mtbf
    while high - low > 1e-9 * mtbf:
        middle = (low + high) / 2
        if (1 - middle / mtbf) * math.exp((middle + times.checkpoint) / mtbf) > 1:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def lost_per_failure(interval: float, mtbf: float) -> float:
    """Return what is done again after a failure, on average, in the unit of both arguments.

    The mean of the exponential distribution below `interval`: nearly half of it while failures are rare.

    Args:
        interval: between two checkpoints, seconds or steps.
        mtbf: mean time of work between two failures of the job.
    """
    return mtbf - interval / math.expm1(interval / mtbf)


def young_interval(hosts: int, times: Durations) -> float:
    """Return Young's estimate of the same (1974), good while saving is short: the root of 2 d M."""
    return math.sqrt(2 * times.checkpoint * times.host_mtbf / hosts)


def outlook(hosts: int, every: int, times: Durations) -> Outlook:
    """Return what to expect of a job that saves every `every` steps, and what would be best."""
    steps = max(1, round(best_interval(hosts, times) / times.step))
    return Outlook(
        hosts=hosts,
        failures=86400 * hosts / times.host_mtbf,
        interval=steps,
        best=goodput(steps * times.step, hosts, times),
        given=goodput(every * times.step, hosts, times),
    )
