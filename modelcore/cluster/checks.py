"""Asks every host of a cluster, in parallel, what a run on it needs to know, and compares the answers."""

from __future__ import annotations

import secrets
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
        unreachable: why it does not reach the first host's port; "" if it does.
        bandwidth: bytes per second from the first host, through Ray's object store; None if not measured.
    """

    address: str
    fits: bool
    report: HostReport | None = None
    clock: float = 0.0
    unreachable: str = ""
    bandwidth: float | None = None
    _probe: Any = field(default=None, repr=False)


def check_cluster(cluster: Cluster, store: Path) -> tuple[list[Checked], list[str]]:
    """Return all hosts of a cluster as they are, and what is wrong, one line each.

    Args:
        cluster: what the run asks for.
        store: the run's; a small file is written there, and removed.

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
    token_file, token = store / f".check_{secrets.token_hex(8)}", secrets.token_hex(16)
    store.mkdir(parents=True, exist_ok=True)
    token_file.write_text(token)
    try:
        hosts = _ask(cluster, token_file)
    finally:
        token_file.unlink()
        ray.shutdown()
    return hosts, list(find_problems(hosts, cluster, token))


def find_problems(hosts: Sequence[Checked], cluster: Cluster, token: str) -> Iterator[str]:
    """Yield what would keep a run from working, one line for each host and thing.

    Args:
        hosts: all of the cluster.
        cluster: what the run asks for.
        token: what every host should have read in the store.
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
        if host.report.token != token:
            yield f"{host.address}: does not see the store as the driver does; it must be on a shared disk"
        if abs(host.clock) > _CLOCK_TOLERANCE_S:
            ahead = "ahead of" if host.clock > 0 else "behind"
            yield f"{host.address}: its clock is {abs(host.clock):.0f} s {ahead} the driver's"
        if host.unreachable:
            yield f"{host.address}: does not reach {first.address}: {host.unreachable}"


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
    if answering:
        _connect(answering[0], answering[1:])
    return hosts


def _clock_of(host: Checked) -> float:
    """Return the seconds by which a host's clock is ahead of ours, to half the time of the question."""
    asked = time.time()
    theirs: float = ray.get(host._probe.clock.remote(), timeout=_TIMEOUT_S)
    return theirs - (asked + time.time()) / 2


def _connect(first: Checked, others: Sequence[Checked]) -> None:
    """Let every other host connect to the first one and, one after the other, fetch from it."""
    port = ray.get(first._probe.listen.remote(first.address), timeout=_TIMEOUT_S)
    answers = [(host, host._probe.reaches.remote(first.address, port)) for host in others]
    for host, answer in answers:
        host.unreachable = ray.get(answer, timeout=_TIMEOUT_S)
    for host in others:
        sample = first._probe.produce.remote(_SAMPLE)
        ray.wait([sample], fetch_local=False)
        with suppress(GetTimeoutError, RayError):
            host.bandwidth = _SAMPLE / ray.get(host._probe.fetch.remote([sample]), timeout=_TIMEOUT_S)
