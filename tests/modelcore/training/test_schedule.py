from __future__ import annotations

import math

import pytest

from modelcore.training.schedule import learning_rate


def test_the_warm_up_ends_at_the_peak():
    rates = [learning_rate(step, steps=10, peak=2.0, warmup_steps=4) for step in range(5)]
    assert rates == [0.5, 1.0, 1.5, 2.0, 2.0]


def test_the_cosine_is_half_way_down_half_way_along():
    assert learning_rate(50, steps=100, peak=1.0, final_rate=0.2) == pytest.approx(0.6)


def test_no_step_has_a_rate_of_zero():
    last = learning_rate(99, steps=100, peak=1.0)
    assert last == pytest.approx((1 - math.cos(math.pi / 100)) / 2) and last > 0


def test_the_cosine_begins_at_the_peak_when_the_warm_up_has_ended():
    rates = [learning_rate(step, steps=14, peak=2.0, warmup_steps=4, final_rate=0.5) for step in range(14)]
    assert rates[3] == rates[4] == 2.0
    assert rates[9] == pytest.approx(1.5)  # half way between step 4 and the end
    assert rates[4:] == sorted(rates[4:], reverse=True) and rates[-1] > 1.0


@pytest.mark.parametrize("steps", [3, 4])
def test_a_job_that_ends_with_its_warm_up_has_no_cosine(steps: int):
    assert [learning_rate(step, steps=steps, peak=4.0, warmup_steps=4) for step in range(steps)] == [
        1.0,
        2.0,
        3.0,
        4.0,
    ][:steps]


def test_steps_after_the_schedules_end_keep_the_final_rate():
    rates = [learning_rate(step, steps=10, peak=2.0, final_rate=0.25) for step in (9, 10, 11, 500)]
    assert rates[0] > 0.5 and rates[1:] == [0.5, 0.5, 0.5]
