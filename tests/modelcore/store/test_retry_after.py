"""A server that asks to come back later is asked again then, not before and not for ever."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from modelcore.store.download import download
from modelcore.store.download_http import ServerBusy
from modelcore.store.retry_after import with_retry_after
from tests.modelcore.store import fault_server


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits, none of which is waited for."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def test_a_busy_server_is_retried_after_the_time_it_asks_for(tmp_path: Path, slept: list[float]) -> None:
    files = {"config.json": b"{}", "model.safetensors": b"weights"}
    waits: list[float] = []
    with fault_server.serving(fault_server.Served(files=files)) as served:
        served.faults["model.safetensors"] = ["429", "429"]
        with_retry_after(lambda: download(served.url, tmp_path), waits.append)
    assert (tmp_path / "model.safetensors").read_bytes() == b"weights"
    assert slept == waits == [7.0, 7.0]


@pytest.mark.parametrize("asked", [None, 3600.0])
def test_without_a_time_or_with_a_long_one_it_fails_at_once(slept: list[float], asked: float | None) -> None:
    def busy() -> None:
        raise ServerBusy("the server answers 503", where="x", retry_after=asked)

    with pytest.raises(ServerBusy):
        with_retry_after(busy, lambda seconds: None)
    assert not slept


def test_it_gives_up_in_the_end(slept: list[float]) -> None:
    def busy() -> None:
        raise ServerBusy("the server answers 429", where="x", retry_after=1.0)

    with pytest.raises(ServerBusy):
        with_retry_after(busy, lambda seconds: None)
    assert len(slept) == 4
