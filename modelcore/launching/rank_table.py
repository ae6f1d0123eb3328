"""Rank tables: which device of which host is which rank.

Checks and merges them. Their files are `rank_table_file`; how a host finds its own devices is `hccn`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelcore.errors import MindrailError

__all__ = ["Device", "RankTable", "Server", "merge_rank_tables", "rank_table_of_host"]


@dataclass(frozen=True)
class Device:
    """One accelerator: its number on its host, the address of its network port, its rank in the job."""

    device_id: int
    device_ip: str
    rank_id: int
    extra: Mapping[str, Any] = field(default_factory=dict)  # keys that only some tools write, kept unchanged


@dataclass(frozen=True)
class Server:
    """One host and its devices in rank order; `server_id` is its address, in other tools' files any name."""

    server_id: str
    devices: tuple[Device, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RankTable:
    """The devices of a job; checked when it is made.

    Raises:
        MindrailError: no device; a server, a device of a server, a device's address or a rank given twice;
            ranks that are not 0 … world size - 1.
    """

    servers: tuple[Server, ...]

    def __post_init__(self) -> None:
        devices = [device for server in self.servers for device in server.devices]
        _refuse_repeated("server", (server.server_id for server in self.servers))
        for server in self.servers:
            if not server.devices:
                raise MindrailError("no device", where=f"server {server.server_id}")
            _refuse_repeated(f"device_id of server {server.server_id}", (d.device_id for d in server.devices))
        _refuse_repeated("device_ip", (device.device_ip for device in devices if device.device_ip))
        _refuse_repeated("rank_id", (device.rank_id for device in devices))
        if not devices:
            raise MindrailError("no server")
        if missing := sorted(set(range(len(devices))) - {device.rank_id for device in devices}):
            raise MindrailError(f"{len(devices)} devices, but no rank_id {missing[0]}")

    @property
    def world_size(self) -> int:
        """The number of ranks."""
        return sum(len(server.devices) for server in self.servers)

    @property
    def file_name(self) -> str:
        """The name that users of MindFormers expect for its file."""
        if len(self.servers) > 1:
            return f"hccl_{len(self.servers)}s_{self.world_size}p.json"
        (server,) = self.servers
        numbers = "".join(str(device.device_id) for device in server.devices)
        return f"hccl_{self.world_size}p_{numbers}_{server.server_id}.json"

    def server(self, server_id: str) -> Server:
        """Return the host of that name or address.

        Raises:
            MindrailError: there is none.
        """
        for server in self.servers:
            if server.server_id == server_id:
                return server
        known = ", ".join(server.server_id for server in self.servers)
        raise MindrailError(f"no server {server_id} in the rank table", fix=f"it has {known}")


def rank_table_of_host(server_id: str, device_ips: Mapping[int, str]) -> RankTable:
    """Return the table of one host, its devices in the order of their numbers, ranks from 0.

    Args:
        server_id: the host's address.
        device_ips: each device's number and the IP address of its network port.
    """
    devices = tuple(
        Device(number, device_ips[number], rank) for rank, number in enumerate(sorted(device_ips))
    )
    return RankTable((Server(server_id, devices, {"host_nic_ip": "reserve"}),))


def merge_rank_tables(tables: Sequence[RankTable], *, sort: bool = True) -> RankTable:
    """Return one table of all hosts.

    Ranks are numbered anew, from 0; within a host devices keep the order of their ranks.

    Args:
        tables: one of each host, or of several.
        sort: order hosts by the numbers in their ids (10.0.0.2 before 10.0.0.10); else they stay as given.

    Raises:
        MindrailError: two tables have the same host or address.
    """
    servers = [server for table in tables for server in table.servers]
    if sort:
        servers.sort(key=_by_number)
    merged, rank = [], 0
    for server in servers:
        in_order = sorted(server.devices, key=lambda device: device.rank_id)
        devices = tuple(replace(device, rank_id=rank + i) for i, device in enumerate(in_order))
        merged.append(replace(server, devices=devices))
        rank += len(devices)
    return RankTable(tuple(merged))


def _refuse_repeated(what: str, values: Iterable[object]) -> None:
    for value, times in Counter(values).items():
        if times > 1:
            raise MindrailError(f"{what} {value} occurs {times} times")


def _by_number(server: Server) -> list[str | int]:
    pieces = re.split(r"(\d+)", server.server_id)  # text, number, text, number, …
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)]
