"""What flows beside a command's own server do without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import get_current_settings

from flows.cli.temporary_server import _LONG_LOG, _free_port, _rotate, _wait_until_up, without_heartbeats
from modelcore.errors import StepFailed


def test_flows_send_heartbeats_to_a_server_of_the_users_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINDRAIL_TEMPORARY_SERVER", raising=False)
    with without_heartbeats():
        assert get_current_settings().flows.heartbeat_frequency is not None
    monkeypatch.setenv("MINDRAIL_TEMPORARY_SERVER", "1")
    with without_heartbeats():
        assert get_current_settings().flows.heartbeat_frequency is None
    assert get_current_settings().flows.heartbeat_frequency is not None


def test_a_server_that_ends_while_it_is_waited_for_is_named_by_its_log(tmp_path: Path) -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as server,
        pytest.raises(StepFailed, match=r"server\.log: Prefect's server ended with exit code 3"),
    ):
        _wait_until_up(server, _free_port(), tmp_path / "server.log")


def test_a_long_log_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    _rotate(log)
    log.write_bytes(b"x" * _LONG_LOG)
    _rotate(log)
    assert log.exists()
    log.write_bytes(b"x" * (_LONG_LOG + 1))
    _rotate(log)
    assert [path.name for path in tmp_path.iterdir()] == ["server.1.log"]
