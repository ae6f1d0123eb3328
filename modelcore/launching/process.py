"""One process on a leash: started with its log, and gone with all it started once it is reaped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from modelcore.launching.failure_reason import failure_reason
from modelcore.launching.leash import leash_command

__all__ = ["LeashedProcess", "stop_all"]

# For a leash to kill what it holds: milliseconds, unless the kernel is busy writing a core or a page.
_KILL_TIMEOUT_S = 5.0


class LeashedProcess:
    """A command running in its own session on a leash (see `leash`), both its streams written to `log`.

    Args:
        name: what it is called in messages: "rank 1", "the scheduler".
        command: the program and its arguments.
        environment: its whole environment.
        log: where its output goes; truncated first.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self.returncode: int | None = None
        with log.open("wb") as stream:
            self._leash = subprocess.Popen(
                leash_command(list(command)),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stream,
                start_new_session=True,
            )

    def fileno(self) -> int:
        """Return a descriptor that is readable (end of file) when the command and all it started are gone."""
        assert self._leash.stdout is not None
        return self._leash.stdout.fileno()

    @property
    def pid(self) -> int:
        """The leash's process id, which is also its process group and session."""
        return self._leash.pid

    def reap(self) -> int:
        """Wait until the leash ends, kill what a killed leash left, return the exit code (-N: signal N)."""
        if self.returncode is None:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            self._kill_group()  # before the leash is waited for: until then no other process can get its id
            self.returncode = self._leash.wait()
            assert self._leash.stdout is not None
            self._leash.stdout.close()
        return self.returncode

    def terminate(self) -> None:
        """Make the leash kill the command and everything it started; does not wait."""
        os.kill(self.pid, signal.SIGTERM)  # not Popen's own, which would reap

    def dump_stacks(self) -> None:
        """Make the command abort; a Python first writes the stack of each of its threads to its log."""
        os.kill(self.pid, signal.SIGUSR1)

    def is_stopped(self) -> bool:
        """Return whether the command is stopped (SIGSTOP): it cannot work, and cannot say so."""
        try:
            (command,) = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            return Path(f"/proc/{command}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except (OSError, ValueError):  # it has ended
            return False

    def exit_status(self) -> str:
        """Return how it ended: "exit code 1", "killed by SIGKILL: …"."""
        code = self.returncode or 0
        if code >= 0:
            return f"exit code {code}"
        killer = signal.Signals(-code)
        hint = ": by hand, or out of memory" if killer == signal.SIGKILL else ""
        return f"killed by {killer.name}{hint}"

    def failure_reason(self) -> str:
        """Return why it failed, as its log says, on one line."""
        return failure_reason(self.log)

    def _ended(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _reap_by(self, deadline: float) -> None:
        while not self._ended():
            if time.monotonic() > deadline:
                self._kill_group()
                break
            time.sleep(0.005)
        self.reap()


def stop_all(processes: Iterable[LeashedProcess]) -> None:
    """Kill every process that still runs, with all its descendants, and return when they are gone."""
    running = [process for process in processes if process.returncode is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + _KILL_TIMEOUT_S
    for process in running:
        process._reap_by(deadline)
