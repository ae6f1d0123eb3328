"""How long a job may be silent follows from its own steps; what is no step does not count."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from modelcore.launching import heartbeat
from modelcore.launching.heartbeat import Heartbeat
from modelcore.progress import silent

Report = Callable[[float, float, str], None]
LONGEST = 600.0


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Heartbeat, Report]:
    """A heartbeat, and a function that reports steps done at a time in seconds."""
    file = tmp_path / "progress.json"
    following = Heartbeat([file], silent)
    numbers = iter(range(10**6))

    def report(done: float, now: float, note: str = "loss 1.0") -> None:
        monkeypatch.setattr(heartbeat, "time", SimpleNamespace(monotonic=lambda: now))
        scratch = tmp_path / f"new_{next(numbers)}"
        scratch.write_text(json.dumps({"done": done, "total": 100, "unit": "steps", "note": note}))
        scratch.replace(file)
        following.check()

    return following, report


def test_steps_of_ten_seconds_allow_fifty_of_them(watched: tuple[Heartbeat, Report]) -> None:
    following, report = watched
    report(0, 0, "compiling")
    for step in range(1, 14):
        report(step, 100 + 10 * step, "loss 1.0")
    assert following.allowed(LONGEST, 50) == 500
    assert following.allowed(LONGEST, None) == LONGEST
    assert following.allowed(100, 50) == 100


def test_short_steps_allow_a_minute(watched: tuple[Heartbeat, Report]) -> None:
    following, report = watched
    for step in range(20):
        report(step, step / 10, "loss 1.0")
    assert following.allowed(LONGEST, 50) == 60


def test_too_few_steps_say_nothing(watched: tuple[Heartbeat, Report]) -> None:
    following, report = watched
    for step in range(5):
        report(step, step, "loss 1.0")
    assert following.allowed(LONGEST, 50) == LONGEST


@pytest.mark.parametrize("note", ["saving", "validating, batch 1 of 9", "compiling"])
def test_a_pause_may_take_the_longest_time_and_is_no_step(
    watched: tuple[Heartbeat, Report], note: str
) -> None:
    following, report = watched
    for step in range(20):
        report(step, step, "loss 1.0")
    report(20, 20, note)
    assert following.allowed(LONGEST, 100) == LONGEST
    report(20, 500, "loss 1.0")
    report(21, 501, "loss 1.0")
    assert following.allowed(LONGEST, 100) == 100
