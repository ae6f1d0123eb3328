"""Hosts of a real Ray cluster on one machine: network namespaces on a bridge, each with its own raylet.

Needs root. What a host runs is what `ip netns pids` lists, so a test can see that nothing is left. One
directory is each host's own, as if it were on a disk of its own; all others are shared.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.paths import ROOT

__all__ = ["HEAD_PORT", "Host", "Network", "can_make_namespaces"]

HEAD_PORT = 6379
FIRST_ADDRESS = "10.77.0.1"
_RAY = Path(sys.executable).with_name("ray")
_START_S = 120.0


def can_make_namespaces() -> bool:
    """Return whether this process may make network namespaces."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
    return done.stdout


class Host:
    """One namespace: its address, its link, what runs in it."""

    def __init__(self, name: str, address: str, link: str, temporary: Path) -> None:
        self.name, self.address, self.link, self._temporary = name, address, link, temporary

    def popen(
        self, command: Sequence[str], *, log: Path, environment: Mapping[str, str] = {}
    ) -> subprocess.Popen[bytes]:
        """Start a command on this host."""
        # /tmp/ray_current_cluster and the like belong to this cluster only.
        own = {
            "RAY_TMPDIR": str(self._temporary),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self._temporary / "token"),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "OMP_NUM_THREADS": "1",
        }
        with log.open("ab") as stream:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.name, *self._on_own_disk(), *command],
                env={**os.environ, **own, **environment},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def own(self) -> Path:
        """The directory that is another one on each host; the test sees that of the first."""
        return self._temporary / "own"

    @property
    def disk(self) -> Path:
        """Where the test sees this host's own directory."""
        return self.own if self.address == FIRST_ADDRESS else self._temporary / f"own_{self.name}"

    def _on_own_disk(self) -> list[str]:
        """Return the command that mounts this host's own directory before it runs another command."""
        if self.address == FIRST_ADDRESS:
            return []
        self.disk.mkdir(exist_ok=True)
        mount = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
        return ["sh", "-c", mount, "sh", str(self.disk), str(self.own)]

    def start_ray(
        self,
        head: str | None = None,
        *,
        resources: str = "{}",
        environment: Mapping[str, str] = {},
        small_disk: Path | None = None,
    ) -> None:
        """Start a raylet that joins the head at that address, or the head itself.

        Args:
            head: the head's address; None for the head itself.
            resources: what the host offers beside CPUs, as JSON.
            environment: added to that of Ray and of all that it starts.
            small_disk: directory in whose place the host has a disk of 4 MB of its own.
        """
        place = [f"--address={head}:{HEAD_PORT}"] if head else ["--head", f"--port={HEAD_PORT}"]
        options = ["--num-cpus=2", "--object-store-memory=80000000", "--disable-usage-stats"]
        dashboard = [] if head else ["--include-dashboard=false"]
        command = [
            *(str(_RAY), "start", *place, f"--node-ip-address={self.address}", *options, *dashboard),
            f"--resources={resources}",
        ]
        if small_disk is not None:  # `ip netns exec` gives each command a mount namespace of its own
            mount = f'mount -t tmpfs -o size=4m tmpfs {small_disk} && exec "$@"'
            command = ["sh", "-c", mount, "sh", *command]
        log = self._temporary / f"{self.name}.ray.log"
        quiet = {"RAY_DISABLE_IMPORT_WARNING": "1", "RAY_enable_metrics_collection": "false"}
        started = self.popen(command, log=log, environment={**quiet, **environment})
        assert started.wait(_START_S) == 0, log.read_text()

    def pids(self, containing: str = "") -> list[int]:
        """Return the ids of this host's processes whose command line contains a text."""
        return [
            pid for pid in map(int, _ip("netns", "pids", self.name).split()) if containing in _command(pid)
        ]

    def commands(self) -> list[str]:
        """Return the command lines of this host's processes."""
        return list(filter(None, (_command(int(pid)) for pid in _ip("netns", "pids", self.name).split())))

    def kill(self, containing: str = "", number: signal.Signals = signal.SIGKILL) -> list[int]:
        """Send a signal to the processes whose command line contains a text."""
        found = self.pids(containing)
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return found

    def seen_by(self, process: str, path: Path) -> Path:
        """Return the path by which this host's process with that text in its command line sees `path`."""
        return Path(f"/proc/{self.pids(process)[0]}/root{path}")

    def cut(self) -> None:
        """Pull the network cable: packets are lost, nobody is notified."""
        _ip("link", "set", self.link, "nomaster")

    def join(self, bridge: str) -> None:
        """Plug it in again."""
        _ip("link", "set", self.link, "master", bridge)


class Network:
    """A bridge and hosts on it."""

    def __init__(self, count: int, temporary: Path) -> None:
        (temporary / "token").write_text(secrets.token_hex(32))
        (temporary / "own").mkdir()
        tag = f"mr{os.getpid() % 100000}"
        self.bridge, self.hosts = f"{tag}b", []
        self._tag, self.temporary = tag, temporary
        _ip("link", "add", self.bridge, "type", "bridge")
        _ip("link", "set", self.bridge, "up")
        for index in range(count):
            self.hosts.append(self._add(index, temporary))

    def _add(self, index: int, temporary: Path) -> Host:
        name, link, address = f"{self._tag}h{index}", f"{self._tag}v{index}", f"10.77.0.{index + 1}"
        _ip("netns", "add", name)
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", link, "up", "master", self.bridge)
        _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")
        return Host(name, address, link, temporary)

    def close(self) -> None:
        """End everything that runs on the hosts, and remove them."""
        for host in self.hosts:
            deadline = time.monotonic() + 30
            while host.kill() and time.monotonic() < deadline:
                time.sleep(0.05)
            _ip("netns", "del", host.name)
        _ip("link", "del", self.bridge)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
