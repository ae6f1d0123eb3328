"""How the service of one store runs, and the addresses that follow from it."""

from __future__ import annotations

import hashlib
import json
import socket
from dataclasses import dataclass
from pathlib import Path

from modelcore.store.durable import replace_contents
from modelcore.store.json_file import read_json_object

__all__ = ["Options"]

_FILE = "service.json"


@dataclass(frozen=True)
class Options:
    """How the service runs.

    Attributes:
        store: the artifacts; the service's own files are below it.
        host: address to listen on.
        port: of Prefect's server; reports are on the next one, Ray on the one after it.
        database: a PostgreSQL URL; SQLite below the store if empty.
        auth: `user:password` that clients must send; none if empty.
        limit: runs that the worker does side by side.
        ray: start the head of a Ray cluster, too.
    """

    store: Path
    host: str = "127.0.0.1"
    port: int = 4200
    database: str = ""
    auth: str = ""
    limit: int = 1
    ray: bool = False

    @property
    def reachable(self) -> str:
        """The host's name for clients on this machine."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host

    @property
    def api(self) -> str:
        """The address of Prefect's API."""
        return f"http://{self.reachable}:{self.port}/api"

    @property
    def reports(self) -> str:
        """The address of the reports."""
        return f"http://{self.reachable}:{self.port + 1}/runs"

    @property
    def ray_port(self) -> int:
        """The port of Ray's head."""
        return self.port + 2

    @property
    def worker(self) -> str:
        """The worker's name on the server."""
        return f"{socket.gethostname()}-{self.port}"

    @property
    def summary(self) -> str:
        """A text that differs for other options; secrets are in it as a digest only."""
        secret = hashlib.sha256(f"{self.database}\0{self.auth}".encode()).hexdigest()[:16]
        ray = " with Ray" if self.ray else ""
        return f"{self.host}:{self.port} limit {self.limit}{ray} {secret}"

    def write(self, directory: Path) -> None:
        """Record where the service answers, without secrets, for `read`."""
        plain = {"host": self.host, "port": self.port, "limit": self.limit, "ray": self.ray}
        replace_contents(directory / _FILE, json.dumps(plain).encode())

    @classmethod
    def read(cls, store: Path, directory: Path) -> Options:
        """Return what `write` recorded, without secrets; the defaults if nothing was."""
        file = directory / _FILE
        return cls(store, **read_json_object(file)) if file.exists() else cls(store)
