"""One holder at a time, in this process or another; whoever dies holds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from modelcore.store.lock import locked
from tests.paths import ROOT

HOLD = """
import sys, time
from pathlib import Path
from modelcore.store.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


class Busy(Exception):
    pass


def refuse() -> None:
    raise Busy


def test_a_lock_file_can_be_removed_at_the_end(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", remove=True):
        assert (tmp_path / "lock").exists()
    assert not (tmp_path / "lock").exists()


def test_a_free_lock_is_taken_and_released(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "lock", on_busy=refuse):
            assert (tmp_path / "lock").stat().st_mode & 0o111 == 0


def test_a_held_lock_can_be_refused(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"), pytest.raises(Busy), locked(tmp_path / "lock", on_busy=refuse):
        pass
    with locked(tmp_path / "lock", on_busy=refuse):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None and child.stdout.readline() == b"held\n"
        with pytest.raises(Busy), locked(tmp_path / "lock", on_busy=refuse):
            pass
        child.send_signal(signal.SIGKILL)
    with locked(tmp_path / "lock", on_busy=refuse):
        pass


def test_what_is_in_the_locked_file_stays(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("records")
    with locked(tmp_path / "lock"):
        pass
    assert (tmp_path / "lock").read_text() == "records"


def test_threads_that_wait_come_one_after_the_other_though_each_holder_removes_the_file(
    tmp_path: Path,
) -> None:
    path, inside, most, waited = tmp_path / "lock", [0], [0], []

    def work() -> None:
        for _ in range(50):
            with locked(path, on_busy=lambda: waited.append(1)):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                threading.Event().wait(0.0005)
                inside[0] -= 1
                path.unlink()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == [1] and inside == [0] and waited


def test_who_waits_is_notified_once_though_the_file_is_replaced_meanwhile(tmp_path: Path) -> None:
    path, calls, order = tmp_path / "lock", threading.Semaphore(0), []
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def wait() -> None:
        with locked(path, on_busy=calls.release):
            order.append("waiter")

    first, second = ExitStack(), ExitStack()
    first.enter_context(locked(path))
    waiter = threading.Thread(target=wait)
    waiter.start()
    assert calls.acquire(timeout=60)
    path.unlink()
    second.enter_context(locked(path, on_busy=refuse))
    first.close()
    waiter.join(0.2)  # it gets the lock of the removed file, and must not take it for this one
    order.append("second")
    second.close()
    waiter.join(60)
    assert order == ["second", "waiter"]
    assert not calls.acquire(blocking=False)
    assert len(os.listdir("/proc/self/fd")) == before, "every descriptor is closed"  # noqa: PTH208


def test_a_refused_lock_leaves_no_descriptor_open(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        with pytest.raises(Busy), locked(tmp_path / "lock", on_busy=refuse):
            pass
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
