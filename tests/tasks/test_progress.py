"""What is shown of long work where there is no terminal."""

from __future__ import annotations

import time

import pytest

from tasks.progress import shown_progress


def test_a_line_tells_amount_speed_time_left_and_the_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    seconds = iter([0.0, 1.0, 2.0, 12.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    with shown_progress("launch") as progress:
        for done in (10, 11, 31):
            progress(done, 20_011, "steps", "loss 2.5, 900 tokens/s")
    line = "launch:  31/20.0k steps  2 steps/s  2 h 46 min left  loss 2.5, 900 tokens/s\n"
    assert capsys.readouterr().err == line
