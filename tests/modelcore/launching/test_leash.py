from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from modelcore.launching.leash import leash_command
from tests.modelcore.launching.survivors import (
    FAMILY,
    SLEEP,
    TIMEOUT_S,
    family_pids,
    still_alive,
    wait_until,
    wait_until_gone,
)


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def leashed(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        leash_command(list(command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


@pytest.mark.parametrize("code", [0, 1, 2, 77])
def test_it_ends_with_the_exit_code_of_the_command(code: int) -> None:
    assert leashed(*python(f"raise SystemExit({code})")).wait() == code


@pytest.mark.parametrize("killer", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
def test_it_ends_by_the_signal_that_ended_the_command(killer: signal.Signals) -> None:
    assert leashed(*python(f"import os; os.kill(os.getpid(), {int(killer)})")).wait() == -killer


def test_both_streams_of_the_command_go_to_its_standard_error_and_nothing_to_its_standard_output() -> None:
    leash = leashed(*python("import sys; print('a', flush=True); print('b', file=sys.stderr)"))
    assert leash.communicate() == (b"", b"a\nb\n")


def test_the_command_sees_ordinary_signal_settings() -> None:
    code = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []), end='')"
    assert leashed(*python(code)).communicate()[1] == b"set()"


def test_a_command_that_does_not_exist_is_named() -> None:
    leash = leashed("/no/such/program")
    assert leash.communicate()[1] == b"cannot run /no/such/program: No such file or directory\n"
    assert leash.returncode == 127


def test_what_a_command_leaves_behind_when_it_ends_well_is_killed(tmp_path: Path) -> None:
    leash = leashed(*python(FAMILY, tmp_path))
    assert leash.wait(TIMEOUT_S) == 0
    assert still_alive(family_pids(tmp_path)) == []


def test_standard_output_closes_only_when_all_descendants_are_gone(tmp_path: Path) -> None:
    leash = leashed(*python(FAMILY + SLEEP, tmp_path))
    pids = family_pids(tmp_path)
    os.kill(leash.pid, signal.SIGTERM)
    assert leash.stdout is not None
    leash.stdout.read()
    assert still_alive(pids) == []


def test_when_the_command_is_killed_its_descendants_go_too(tmp_path: Path) -> None:
    leash = leashed(*python(FAMILY + SLEEP, tmp_path))
    pids = family_pids(tmp_path)
    (command,) = (int(note.stem) for note in tmp_path.glob("*.parent"))
    os.kill(command, signal.SIGKILL)
    assert leash.wait(TIMEOUT_S) == -signal.SIGKILL
    assert still_alive(pids) == []


def test_when_the_leash_is_killed_the_command_goes_too() -> None:
    leash = leashed(*python("import os, time; print(os.getpid(), flush=True); time.sleep(1000)"))
    assert leash.stderr is not None
    command = int(leash.stderr.readline())
    leash.kill()
    wait_until_gone([command])


def test_when_the_supervisor_is_killed_nothing_is_left(tmp_path: Path) -> None:
    supervisor = subprocess.Popen(python(_SUPERVISOR, FAMILY + SLEEP, tmp_path))
    pids = family_pids(tmp_path)
    supervisor.kill()
    supervisor.wait()
    wait_until_gone(pids)


def test_a_command_is_not_started_when_the_supervisor_is_dead_already() -> None:
    command = leash_command(python("print('started')"))
    command[command.index("--") - 1] = str(os.getppid())
    leash = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S)
    assert (leash.returncode, leash.stderr) == (1, b"")


def test_the_end_of_the_thread_that_started_it_is_not_the_end_of_the_supervisor(tmp_path: Path) -> None:
    leashes: list[subprocess.Popen[bytes]] = []
    starter = threading.Thread(target=lambda: leashes.append(leashed(*python(FAMILY + SLEEP, tmp_path))))
    starter.start()
    starter.join()
    pids = family_pids(tmp_path)
    time.sleep(0.2)
    assert sorted(still_alive(pids)) == sorted(pids)
    leashes[0].terminate()
    assert leashes[0].wait(TIMEOUT_S) == -signal.SIGTERM
    assert still_alive(pids) == []


def test_a_supervisor_killed_after_its_starting_thread_has_ended_leaves_nothing(tmp_path: Path) -> None:
    in_a_thread = _SUPERVISOR.replace(
        "\nstart()", "\nt = threading.Thread(target=start); t.start(); t.join()"
    )
    supervisor = subprocess.Popen(python(in_a_thread, FAMILY + SLEEP, tmp_path))
    pids = family_pids(tmp_path)
    supervisor.kill()
    supervisor.wait()
    wait_until_gone(pids)


def test_a_command_that_forks_faster_than_one_can_list_it_is_killed_too(tmp_path: Path) -> None:
    leash = leashed(*python(_RESTLESS, tmp_path))
    wait_until((tmp_path / "running").exists)
    os.kill(leash.pid, signal.SIGTERM)
    assert leash.wait(TIMEOUT_S) == -signal.SIGTERM
    assert [pid for pid in _all_pids() if str(tmp_path).encode() in _command_line(pid)] == []


_SUPERVISOR = """
import subprocess, sys, threading, time
from modelcore.launching.leash import leash_command
def start():
    global leash
    leash = subprocess.Popen(
        leash_command([sys.executable, "-c", *sys.argv[1:]]), stdout=subprocess.PIPE, start_new_session=True
    )
start()
time.sleep(1000)
"""

# Each process lives 20 ms and is replaced by a child in a session of its own: there is always another one.
_RESTLESS = """
import os, pathlib, sys, time
if os.fork():
    time.sleep(1000)
end = time.monotonic() + 30
for turn in range(1000):
    if turn == 10:
        (pathlib.Path(sys.argv[1]) / "running").touch()
    if time.monotonic() > end or os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.02)
"""


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
