"""What one host of a cluster says of itself and of the way to the others, asked by `mindrail cluster check`.

A Ray actor, one per host. Nothing here compares hosts: that is `checks`.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcore.cluster.host_versions import host_versions
from modelcore.launching.rank_environment import free_port

__all__ = ["HostReport", "Probe"]

_REACH_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class HostReport:
    """A host's own account.

    Attributes:
        name: of the host.
        versions: see `host_versions`.
        cores: that the agent may use.
        devices: Ascend's, as /dev shows them.
        free: bytes on the disk of the store; None if there is no such directory.
        token: what the file that the driver wrote into the store says here; None if it is not seen.
    """

    name: str
    versions: dict[str, str]
    cores: int
    devices: int
    free: int | None
    token: str | None


class Probe:
    """The actor."""

    def __init__(self) -> None:
        self._listener: socket.socket | None = None

    def report(self, token_file: Path) -> HostReport:
        """Describe this host.

        Args:
            token_file: a file in the store, which the driver has just written.
        """
        store = token_file.parent
        return HostReport(
            socket.gethostname(),
            host_versions(),
            len(os.sched_getaffinity(0)),
            len(list(Path("/dev").glob("davinci[0-9]*"))),
            shutil.disk_usage(store).free if store.is_dir() else None,
            token_file.read_text() if token_file.is_file() else None,
        )

    def clock(self) -> float:
        """Return this host's time, in seconds since 1970."""
        return time.time()

    def listen(self, address: str) -> int:
        """Listen at this host's address, on a port that MindSpore's scheduler could get; return the port."""
        port = free_port(address)
        self._listener = socket.create_server((address, port), backlog=1024)
        return port

    def answer(self, file: Path, text: str) -> str:
        """Write a file into the store, for the driver to read; return why that fails, "" if it does not."""
        try:
            file.write_text(text)
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def unreachable(self, listening: Mapping[str, int]) -> dict[str, str]:
        """Connect to other hosts; return the addresses that cannot be reached, with the reason.

        Args:
            listening: port by address.
        """
        found = {}
        for address, port in listening.items():
            try:
                socket.create_connection((address, port), _REACH_TIMEOUT_S).close()
            except OSError as error:
                found[address] = error.strerror or str(error)
        return found

    def produce(self, size: int) -> bytes:
        """Return as many bytes, which stay on this host until another one fetches them."""
        return os.urandom(size)

    def fetch(self, produced: list[Any]) -> float:
        """Return the seconds it takes to fetch what another host produced, through Ray's object store."""
        import ray

        began = time.monotonic()
        ray.get(produced[0])
        return time.monotonic() - began
