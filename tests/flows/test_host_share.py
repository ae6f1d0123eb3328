"""Two runs at once: the second waits for the cores or for the limit on the server, and says so."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks import host_share
from tasks.global_limit import global_limit, limit_name
from tasks.host_share import share_of_cores

pytestmark = pytest.mark.server


def test_the_second_of_two_runs_says_for_what_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINDRAIL_LOCKS", str(tmp_path / "locks"))
    lines: list[str] = []
    waits = threading.Event()

    def log(line: str) -> None:
        lines.append(line)
        waits.set()

    monkeypatch.setattr(host_share, "log", log)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})

    def second() -> None:
        with share_of_cores("score", 1):
            pass

    thread = threading.Thread(target=second)
    with share_of_cores("launch", 2):
        thread.start()
        assert waits.wait(60)
    thread.join(60)
    assert not thread.is_alive()
    (line,) = lines
    assert line.startswith("score: waiting for 1 cores; in use by launch of process")


def test_a_limit_on_the_server_is_kept_and_given_back(server: None) -> None:
    limit = GlobalConcurrencyLimitCreate(name=limit_name("test slot"), limit=2)
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(limit)
        with global_limit("test slot", 8, pytest.fail):
            assert client.read_global_concurrency_limit_by_name(limit.name).active_slots == 2
        assert client.read_global_concurrency_limit_by_name(limit.name).active_slots == 0


def test_a_run_waits_for_slots_that_another_has(server: None) -> None:
    limit = GlobalConcurrencyLimitCreate(name=limit_name("other slot"), limit=1)
    waits, got = threading.Event(), threading.Event()

    def second() -> None:
        with global_limit("other slot", 1, lambda name: waits.set()):
            got.set()

    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(limit)
    thread = threading.Thread(target=second)
    with global_limit("other slot", 1, pytest.fail):
        thread.start()
        assert waits.wait(60) and not got.is_set()
    assert got.wait(60)
    thread.join(60)


def test_without_the_limit_nothing_waits(server: None) -> None:
    with global_limit("unknown", 1, pytest.fail):
        pass


def test_a_server_that_is_away_holds_up_nothing() -> None:
    nobody = temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"})
    with nobody, global_limit("core", 1, pytest.fail):
        pass
