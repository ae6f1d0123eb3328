"""Processes that outlive the command that started them, and are found again by a later one.

A process id alone may be another process's by now; its start time goes with it. Nothing else is ever ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from modelcore.store.durable import replace_contents
from modelcore.store.json_file import read_json_object

__all__ = ["LocalProcesses"]

_END_TIMEOUT = 40.0  # a worker gives its runs 30 s to end


@dataclass(frozen=True)
class _Started:
    pid: int
    created: float
    settings: str


class LocalProcesses:
    """The processes that were started from a directory, by name.

    Args:
        directory: holds their logs and `processes.json`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._file = directory / "processes.json"

    def is_running(self, name: str) -> bool:
        """Return whether the process still runs."""
        return self._process(name) is not None

    def settings(self, name: str) -> str:
        """Return the settings that the process was started with, "" if there is none."""
        started = self._read().get(name)
        return "" if started is None else started.settings

    def log(self, name: str) -> Path:
        """Return where the process writes."""
        return self.directory / f"{name}.log"

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], cwd: Path, settings: str
    ) -> None:
        """Start a process in a session of its own.

        Args:
            name: by which it is found again.
            command: the program and its arguments.
            environment: its whole environment.
            cwd: its working directory.
            settings: what it was started with, to be compared later; no secrets.
        """
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                list(command),
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        created = psutil.Process(process.pid).create_time()
        self._write({**self._read(), name: _Started(process.pid, created, settings)})

    def end(self, name: str) -> bool:
        """End the process and those of its session; return whether it ran."""
        process = self._process(name)
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + _END_TIMEOUT
            while self._process(name) is not None and time.monotonic() < deadline:
                time.sleep(0.1)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if name in (started := self._read()):
            self._write({key: one for key, one in started.items() if key != name})
        return process is not None

    def _process(self, name: str) -> psutil.Process | None:
        started = self._read().get(name)
        if started is None:
            return None
        try:
            process = psutil.Process(started.pid)
            alive = process.create_time() == started.created and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if alive else None

    def _read(self) -> dict[str, _Started]:
        if not self._file.exists():
            return {}
        return {name: _Started(**one) for name, one in read_json_object(self._file).items()}

    def _write(self, started: Mapping[str, _Started]) -> None:
        plain = {name: asdict(one) for name, one in started.items()}
        replace_contents(self._file, json.dumps(plain, indent=1).encode())
