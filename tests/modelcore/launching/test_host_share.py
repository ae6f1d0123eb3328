"""Jobs of one host never hold the same core or device; who waits says for whom; a killed job holds none."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.launching.host_share import Share, cores_needed, devices_of_host, host_share
from tests.paths import ROOT

HOLD = """
import sys
from modelcore.launching.host_share import host_share
count, name = int(sys.argv[1]), "job " + sys.argv[2]
with host_share("device", [0, 1, 2, 3], count, name, lambda holders: None) as share:
    print(*share.numbers, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MINDRAIL_LOCKS", str(tmp_path / "locks"))
    yield


class Job:
    """Another process that holds devices until it is ended."""

    def __init__(self, count: int, name: str) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", HOLD, str(count), name]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout is not None
        self.devices = [int(number) for number in self.process.stdout.readline().split()]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def hold(count: int) -> Share:
    waits: list[str] = []
    with host_share("device", [0, 1, 2, 3], count, "this job", waits.append) as share:
        assert waits == []
        return share


def test_two_jobs_have_different_devices() -> None:
    other = Job(2, "first")
    try:
        assert other.devices == [0, 1]
        assert hold(2).numbers == (2, 3)
    finally:
        other.kill()


def test_a_job_waits_for_a_killed_one_no_longer_and_says_for_whom_it_waited() -> None:
    other = Job(3, "first")
    waits: list[str] = []

    def waiting(holders: str) -> None:
        waits.append(holders)
        threading.Thread(target=other.kill).start()

    with host_share("device", [0, 1, 2, 3], 4, "this job", waiting) as share:
        assert share.numbers == (0, 1, 2, 3)
    assert waits == ["job first"]


def test_a_job_that_needs_more_than_there_is_takes_all() -> None:
    assert hold(9).numbers == (0, 1, 2, 3)


def test_only_devices_that_are_not_the_first_are_named_to_the_processes() -> None:
    assert Share("device", (0, 1)).environment() == {}
    assert Share("device", (2, 3)).environment() == {"ASCEND_RT_VISIBLE_DEVICES": "2,3"}
    assert Share("core", (1,)).environment() == {}


def test_devices_are_the_drivers_or_those_that_the_user_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ASCEND_RT_VISIBLE_DEVICES", raising=False)
    assert devices_of_host(tmp_path) == []
    for name in ("davinci0", "davinci1", "davinci10", "davinci_manager"):
        (tmp_path / name).touch()
    assert devices_of_host(tmp_path) == [0, 1, 10]
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", "1,10")
    assert devices_of_host(tmp_path) == [1, 10]


def test_cores_are_those_that_the_threads_of_all_processes_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [cores_needed(count) for count in (1, 2, 3, 16)] == [8, 8, 6, 8]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert [cores_needed(count) for count in (1, 2, 16)] == [2, 4, 8]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory to another user")
def test_locks_in_a_directory_of_another_user_are_refused(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    os.chown(tmp_path / "locks", 12345, 12345)
    with pytest.raises(MindrailError, match="locks: belongs to another user; name another directory"):
        hold(1)
