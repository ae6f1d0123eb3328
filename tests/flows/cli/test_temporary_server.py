"""What flows beside a command's own server do without."""

from __future__ import annotations

import pytest
from prefect.settings import get_current_settings

from flows.cli.temporary_server import without_heartbeats


def test_flows_send_heartbeats_to_a_server_of_the_users_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINDRAIL_TEMPORARY_SERVER", raising=False)
    with without_heartbeats():
        assert get_current_settings().flows.heartbeat_frequency is not None
    monkeypatch.setenv("MINDRAIL_TEMPORARY_SERVER", "1")
    with without_heartbeats():
        assert get_current_settings().flows.heartbeat_frequency is None
    assert get_current_settings().flows.heartbeat_frequency is not None
