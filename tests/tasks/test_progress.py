"""What is shown of long work where there is no terminal: how fast it goes and how long the rest takes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tasks.progress import Speed, shown_progress, time_left


def test_a_line_has_amount_speed_time_left_and_the_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter([0.0, 1.0, 2.0, 12.0])
    monkeypatch.setattr("tasks.progress.time", SimpleNamespace(monotonic=lambda: next(seconds)))
    with shown_progress("launch") as progress:
        for done in (10, 11, 31):
            progress(done, 20_011, "steps", "loss 2.5, 900 tokens/s")
    line = "launch:  31/20.0k steps  2 steps/s  2 h 46 min left  loss 2.5, 900 tokens/s\n"
    assert capsys.readouterr().err == line


def test_whoever_else_watches_gets_every_call() -> None:
    calls: list[tuple[float, float | None, str, str]] = []

    def watch(done: float, total: float | None, unit: str, note: str = "") -> None:
        calls.append((done, total, unit, note))

    with shown_progress("launch", watch) as progress:
        progress(1, 2, "steps")
        progress(2, 2, "steps", "loss 1.0")
    assert calls == [(1, 2, "steps", ""), (2, 2, "steps", "loss 1.0")]


def speeds(*updates: tuple[float, float]) -> list[float | None]:
    speed = Speed()
    return [speed.update(done, now) for done, now in updates]


def test_what_was_done_before_and_the_time_before_it_moves_do_not_count() -> None:
    assert speeds((100, 0.0), (100, 30.0), (101, 31.0), (111, 36.0)) == [None, None, None, 2]


def test_work_that_fell_back_is_counted_anew() -> None:
    found = speeds((0, 0.0), (50, 1.0), (60, 2.0), (40, 9.0), (41, 10.0), (44, 11.0))
    assert found == [None, None, 10, None, None, 3]


def test_the_time_left_is_in_the_units_that_fit() -> None:
    assert time_left(0, 90, 10) == "9 s left"
    assert time_left(10, 910, 10) == "1 min 30 s left"
    assert time_left(0, 20_000, 2) == "2 h 46 min left"
    assert time_left(10, 20, None) == time_left(10, None, 2) == ""
