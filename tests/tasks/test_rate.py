"""How fast work goes, and how long the rest takes."""

from __future__ import annotations

from tasks.rate import Pace, time_left


def test_what_was_done_before_and_the_time_before_it_moves_do_not_count():
    pace = Pace()
    assert [pace.rate(*told) for told in ((100, 0.0), (100, 30.0), (101, 31.0))] == [None, None, None]
    assert pace.rate(111, 36.0) == 2


def test_work_that_fell_back_is_counted_anew():
    pace = Pace()
    told = [pace.rate(*told) for told in ((0, 0.0), (50, 1.0), (60, 2.0), (40, 9.0), (41, 10.0), (44, 11.0))]
    assert told == [None, None, 10, None, None, 3]


def test_the_time_left_is_told_in_the_units_that_fit():
    assert time_left(0, 90, 10) == "9 s left"
    assert time_left(10, 910, 10) == "1 min 30 s left"
    assert time_left(0, 20_000, 2) == "2 h 46 min left"
    assert time_left(10, 20, None) == time_left(10, None, 2) == ""
