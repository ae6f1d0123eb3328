"""What is read from /proc, beside what psutil reads there."""

from __future__ import annotations

import os

import psutil

from modelcore.sandbox.usage import stolen


def most_stolen() -> float:
    return float(max(times.steal for times in psutil.cpu_times(percpu=True)))


def test_stolen_time_is_that_of_the_processor_that_lost_most() -> None:
    table = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    before = most_stolen()
    assert before <= stolen(table) <= most_stolen()
    os.close(table)
