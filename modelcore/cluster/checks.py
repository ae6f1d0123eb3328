"""Asks every host of a cluster, in parallel, what a run on it needs to know, and compares the answers."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from modelcore.cluster.host_versions import differing
from modelcore.cluster.probe import HostReport, Probe
from modelcore.config.training import Cluster
from modelcore.errors import MindrailError
from modelcore.units import format_bytes

__all__ = ["Checked", "check_cluster", "find_problems"]

_TIMEOUT_S = 60.0
_SAMPLE = 32 << 20
_CLOCK_TOLERANCE_S = 5.0


@dataclass
class Checked:
    """One host.

    Attributes:
        address: the host's.
        fits: whether it has, in all, the resources that one host of the run needs.
        report: its own account; None if it did not answer.
        clock: seconds by which its clock is ahead of the driver's.
        refused: why it cannot write into the store what the driver then reads there; "" if it can.
        unreachable: the other hosts that it does not reach on a port, with the reason.
        bandwidth: bytes per second from the first host, through Ray's object store; None if not measured.
    """

    address: str
    fits: bool
    report: HostReport | None = None
    clock: float = 0.0
    refused: str = ""
    unreachable: Mapping[str, str] = field(default_factory=dict)
    bandwidth: float | None = None
    _probe: Any = field(default=None, repr=False)


def check_cluster(cluster: Cluster, store: Path, needed: int = 0) -> tuple[list[Checked], list[str]]:
    """Return all hosts of a cluster as they are, and what is wrong, one line each.

    Args:
        cluster: what the run asks for.
        store: the run's; each host and the driver write a small file there, and remove it.
        needed: bytes that the run writes into the store.

    Raises:
        MindrailError: there is no cluster at that address.
    """
    try:
        ray.init(address=cluster.address, namespace="mindrail", log_to_driver=False, logging_level="ERROR")
    except ConnectionError as error:
        raise MindrailError(
            "no Ray cluster there",
            where=f"launch.cluster.address {cluster.address}",
            fix="start it with `ray start --head`",
        ) from error
    directory, token = store / f".check_{secrets.token_hex(8)}", secrets.token_hex(16)
    directory.mkdir(parents=True)
    (directory / "driver").write_text(token)
    try:
        hosts = _ask(cluster, directory / "driver")
    finally:
        shutil.rmtree(directory)
        ray.shutdown()
    return hosts, list(find_problems(hosts, cluster, token, needed))


def find_problems(hosts: Sequence[Checked], cluster: Cluster, token: str, needed: int = 0) -> Iterator[str]:
    """Yield what would keep a run from working, one line for each host and thing.

    Args:
        hosts: all of the cluster.
        cluster: what the run asks for.
        token: what every host should have read in the store.
        needed: bytes that the run writes into the store.
    """
    usable = [host for host in hosts if host.fits and host.report is not None]
    if len(usable) < cluster.hosts:
        yield f"{cluster.hosts} hosts are needed, {len(usable)} have the resources and answer"
    for host in hosts:
        if host.report is None:
            yield f"{host.address}: no answer within {_TIMEOUT_S:g} s"
    first = usable[0] if usable else None
    for host in usable:
        assert host.report is not None and first is not None and first.report is not None
        yield from _differences(host.address, host.report.versions, first.address, first.report.versions)
        has_own_disk = host.report.token != token
        if has_own_disk and cluster.shared == "required":
            yield f"{host.address}: does not see the store as the driver does; it must be on a shared disk"
        if host.refused and not has_own_disk:
            yield f"{host.address}: what it writes into the store does not reach the driver: {host.refused}"
        if host.report.free is not None and host.report.free < needed:
            has, wants = format_bytes(host.report.free), format_bytes(needed)
            yield f"{host.address}: {has} are free in the store, the run writes {wants}"
        if abs(host.clock) > _CLOCK_TOLERANCE_S:
            ahead = "ahead of" if host.clock > 0 else "behind"
            yield f"{host.address}: its clock is {abs(host.clock):.0f} s {ahead} the driver's"
        for other, why in host.unreachable.items():
            yield f"{host.address}: does not reach {other}: {why}"


def _differences(
    address: str, versions: Mapping[str, str], reference: str, expected: Mapping[str, str]
) -> Iterator[str]:
    for name, mine, other in differing(versions, expected):
        yield f"{address}: {name} {mine}, but {other} on {reference}"


def _ask(cluster: Cluster, token_file: Path) -> list[Checked]:
    needed = dict(cluster.resources) or {"CPU": 1.0}
    hosts = []
    for node in sorted(ray.nodes(), key=lambda node: node["NodeManagerAddress"]):
        if node["Alive"]:
            fits = all(node["Resources"].get(name, 0) >= amount for name, amount in needed.items())
            where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            probe = ray.remote(num_cpus=0, scheduling_strategy=where)(Probe).remote()
            hosts.append(Checked(node["NodeManagerAddress"], fits, _probe=probe))
    asked = [(host, host._probe.report.remote(token_file)) for host in hosts]
    deadline = time.monotonic() + _TIMEOUT_S
    for host, answer in asked:
        with suppress(GetTimeoutError, RayError):
            host.report = ray.get(answer, timeout=max(0.1, deadline - time.monotonic()))
            host.clock = _clock_of(host)
    answering = [host for host in hosts if host.report is not None]
    _write_back(answering, token_file.parent)
    _connect(answering)
    return hosts


def _write_back(hosts: Sequence[Checked], directory: Path) -> None:
    """Let every host write a file of its own, and read it here."""
    files = [(host, directory / host.address.replace(":", "_")) for host in hosts]
    answers = [host._probe.answer.remote(file, host.address) for host, file in files]
    for (host, file), answer in zip(files, answers, strict=True):
        host.refused = ray.get(answer, timeout=_TIMEOUT_S)
        if not host.refused and not (file.is_file() and file.read_text() == host.address):
            host.refused = "it is not seen here"


def _clock_of(host: Checked) -> float:
    """Return the seconds by which a host's clock is ahead of ours, to half the time of the question."""
    asked = time.time()
    theirs: float = ray.get(host._probe.clock.remote(), timeout=_TIMEOUT_S)
    return theirs - (asked + time.time()) / 2


def _connect(hosts: Sequence[Checked]) -> None:
    """Let every host connect to every other and, one after the other, fetch from the first one."""
    ports = [host._probe.listen.remote(host.address) for host in hosts]
    listening = {
        host.address: ray.get(port, timeout=_TIMEOUT_S) for host, port in zip(hosts, ports, strict=True)
    }
    asked = []
    for host in hosts:
        others = {address: port for address, port in listening.items() if address != host.address}
        asked.append((host, host._probe.unreachable.remote(others)))
    for host, answer in asked:
        host.unreachable = ray.get(answer, timeout=_TIMEOUT_S * len(hosts))
    for host in hosts[1:]:
        sample = hosts[0]._probe.produce.remote(_SAMPLE)
        ray.wait([sample], fetch_local=False)
        with suppress(GetTimeoutError, RayError):
            host.bandwidth = _SAMPLE / ray.get(host._probe.fetch.remote([sample]), timeout=_TIMEOUT_S)
