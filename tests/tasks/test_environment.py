"""What a step exports, and what of it is part of its key."""

from __future__ import annotations

import pytest

from tasks import environment
from tasks.environment import exported, key_of_environment


def test_a_key_is_unchanged_by_variables_that_change_no_number() -> None:
    assert key_of_environment({}) == {}
    assert key_of_environment({"ASCEND_RT_VISIBLE_DEVICES": "4,5"}) == {}
    assert key_of_environment({"MS_X": "1", "GLOG_v": "3"}) == {"environment": {"MS_X": "1"}}


def test_a_set_that_is_left_out_is_logged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "has_ascend", lambda: False)
    assert exported("launch", "deepseek-coder", {"A": "1"}) == {"A": "1"}
    assert "launch: the variables of deepseek-coder are for Ascend" in capsys.readouterr().err
    monkeypatch.setattr(environment, "has_ascend", lambda: True)
    assert exported("launch", "deepseek-coder", {"A": "1"}) == {
        "MS_DEV_RUNTIME_CONF": "inline:false",
        "A": "1",
    }
    assert capsys.readouterr().err == ""
