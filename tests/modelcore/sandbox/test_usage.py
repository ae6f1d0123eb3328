"""Usage read from /proc agrees with what psutil reads there."""

from __future__ import annotations

import os

import psutil

from modelcore.sandbox.usage import steal_time

TICK = 1 / os.sysconf("SC_CLK_TCK")


def largest_steal_time() -> float:
    return float(max(times.steal for times in psutil.cpu_times(percpu=True)))


def test_steal_time_is_that_of_the_processor_with_most_of_it() -> None:
    table = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    before = largest_steal_time()
    measured = steal_time(table)
    after = largest_steal_time()
    # psutil divides the ticks where we multiply them, and rounds.
    assert before - TICK / 2 < measured < after + TICK / 2
    os.close(table)
