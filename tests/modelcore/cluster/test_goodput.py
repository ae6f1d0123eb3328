"""The model agrees with a simulation of single failures, and its best interval is the best."""

from __future__ import annotations

import numpy as np
import pytest

from modelcore.cluster.goodput import (
    Durations,
    best_interval,
    goodput,
    lost_per_failure,
    outlook,
    young_interval,
)

DAY = 86400.0
TIMES = Durations(step=10.0, checkpoint=60.0, restart=180.0, host_mtbf=50 * DAY)


def simulated(interval: float, hosts: int, times: Durations, *, segments: int = 40_000) -> float:
    """Return the goodput of as many intervals, failure by failure."""
    draw = np.random.default_rng(hosts)
    mtbf, elapsed = times.host_mtbf / hosts, 0.0
    for _ in range(segments):
        while (fails_after := draw.exponential(mtbf)) < interval + times.checkpoint:
            elapsed += fails_after
            while (again := draw.exponential(mtbf)) < times.restart:
                elapsed += again
            elapsed += times.restart
        elapsed += interval + times.checkpoint
    return segments * interval / elapsed


@pytest.mark.parametrize(("hosts", "interval"), [(2, 20_000.0), (64, 3000.0), (1024, 700.0)])
def test_the_formula_agrees_with_a_simulation(hosts: int, interval: float) -> None:
    assert goodput(interval, hosts, TIMES) == pytest.approx(simulated(interval, hosts, TIMES), rel=0.01)


@pytest.mark.parametrize("mtbf", [2.0, 10.0, 500.0])
def test_what_a_failure_costs_is_the_mean_since_the_last_checkpoint(mtbf: float) -> None:
    failures = np.random.default_rng(0).exponential(mtbf, 200_000)
    within = failures[failures < 5]
    assert lost_per_failure(5, mtbf) == pytest.approx(within.mean(), rel=0.05)


@pytest.mark.parametrize("hosts", [2, 16, 128, 1024])
def test_no_other_interval_is_better_than_the_best(hosts: int) -> None:
    best = best_interval(hosts, TIMES)
    others = [best * factor for factor in (0.5, 0.9, 1.1, 2)]
    assert goodput(best, hosts, TIMES) > max(goodput(other, hosts, TIMES) for other in others)


def test_youngs_estimate_is_close_while_saving_is_short() -> None:
    assert best_interval(2, TIMES) == pytest.approx(young_interval(2, TIMES), rel=0.05)


def test_more_hosts_save_more_often_and_lose_more() -> None:
    few, many = outlook(8, 100, TIMES), outlook(512, 100, TIMES)
    assert many.interval < few.interval and many.best < few.best
    assert few.best >= few.given and few.failures == pytest.approx(8 / 50)


def test_hosts_that_fail_faster_than_a_job_restarts_do_nothing() -> None:
    assert goodput(1e5, 1024, Durations(10, 60, 1e6, DAY)) == 0
