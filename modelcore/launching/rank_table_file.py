"""Reads, checks and writes the JSON of a rank table, as HCCL reads it.

Format: CANN's "Rank table configuration", template version 1.0: every value a string. ModelArts'
/user/config/jobstart_hccl.json is either that or an older form with groups of instances, without ranks; that
one is read, too, and never written.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from modelcore.errors import MindrailError
from modelcore.launching.rank_table import Device, RankTable, Server
from modelcore.store.json_file import read_json_object

__all__ = ["read_rank_table", "write_rank_table"]

_VERSION = "1.0"
_READY = "completed"
_Read = TypeVar("_Read")


def write_rank_table(table: RankTable, path: Path) -> None:
    """Write the table as the JSON that HCCL reads."""
    document = {
        "version": _VERSION,
        "server_count": str(len(table.servers)),
        "server_list": [_server_to_json(server) for server in table.servers],
        "status": _READY,
    }
    path.write_text(json.dumps(document, indent=4) + "\n")


def read_rank_table(path: Path) -> RankTable:
    """Read and check a rank table.

    Raises:
        MindrailError: not JSON, a key missing or of another type, another version, not "completed", a count
            that is not the number of what is listed, or what `RankTable` refuses; naming file and key.
    """
    raw = read_json_object(path)
    try:
        return _from_json(raw)
    except MindrailError as error:
        raise MindrailError(str(error), where=path) from error


def _from_json(raw: Any) -> RankTable:
    if "group_list" in raw:
        return _from_groups(raw)
    _expect("version", _get(raw, "version", str), _VERSION)
    _expect("status", _get(raw, "status", str), _READY)
    servers = _counted(raw, "server_list", "server_count")
    return RankTable(tuple(_within(f"server_list[{i}]", _server, server) for i, server in enumerate(servers)))


def _from_groups(raw: Any) -> RankTable:
    """Read ModelArts' older form: ranks follow the numbers at the ends of the pods' names."""
    _expect("status", _get(raw, "status", str), _READY)
    groups = _counted(raw, "group_list", "group_count")
    instances = [
        instance
        for i, group in enumerate(groups)
        for instance in _within(
            f"group_list[{i}]", lambda group: _counted(group, "instance_list", "instance_count"), group
        )
    ]
    servers, rank = [], 0
    for instance in sorted(instances, key=_pod_number):
        devices = []
        for device in _get(instance, "devices", list):
            devices.append(Device(_number(device, "device_id"), _address(device, "device_ip"), rank))
            rank += 1
        servers.append(Server(_get(instance, "server_id", str), tuple(devices)))
    return RankTable(tuple(servers))


def _counted(raw: Any, key: str, count: str) -> list[Any]:
    found: list[Any] = _get(raw, key, list)
    if (number := _number(raw, count)) != len(found):
        raise MindrailError(f"{count} is {number}, but {key} has {len(found)}")
    return found


def _pod_number(instance: Any) -> int:
    name = _get(instance, "pod_name", str)
    if not (match := re.search(r"(\d{1,9})$", name, re.ASCII)):
        raise MindrailError(f"{name!r} does not end with the number of the instance", where="pod_name")
    return int(match[1])


def _server(raw: Any) -> Server:
    devices = [_within(f"device[{i}]", _device, d) for i, d in enumerate(_get(raw, "device", list))]
    devices.sort(key=lambda device: device.rank_id)
    return Server(_get(raw, "server_id", str), tuple(devices), _extra(raw, "server_id", "device"))


def _device(raw: Any) -> Device:
    extra = _extra(raw, "device_id", "device_ip", "rank_id")
    return Device(_number(raw, "device_id"), _address(raw, "device_ip"), _number(raw, "rank_id"), extra)


def _within(place: str, read: Callable[[Any], _Read], raw: Any) -> _Read:
    try:
        return read(raw)
    except MindrailError as error:
        raise MindrailError(str(error), where=place) from error


def _get(raw: Any, key: str, kind: type) -> Any:
    if not isinstance(raw, dict):
        raise MindrailError(f"{type(raw).__name__} where an object with {key} is expected")
    if key not in raw:
        raise MindrailError(f"no {key}")
    if not isinstance(raw[key], kind):
        raise MindrailError(f"{raw[key]!r} is not a {kind.__name__}", where=key)
    return raw[key]


def _number(raw: Any, key: str) -> int:
    text = _get(raw, key, str)
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise MindrailError(f"{text!r} is not a number", where=key)
    return int(text)


def _address(raw: Any, key: str) -> str:
    """Return the address, or "" where a table of one host leaves it empty or out."""
    text = _get(raw, key, str) if key in raw else ""
    if text:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise MindrailError(f"{text!r} is not an IP address", where=key) from None
    return text


def _extra(raw: Mapping[str, Any], *known: str) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key not in known}


def _expect(key: str, found: str, expected: str) -> None:
    if found != expected:
        raise MindrailError(f"{key} is {found!r}, not {expected!r}")


def _server_to_json(server: Server) -> dict[str, Any]:
    devices = [
        {
            "device_id": str(device.device_id),
            "device_ip": device.device_ip,
            "rank_id": str(device.rank_id),
            **device.extra,
        }
        for device in server.devices
    ]
    return {"server_id": server.server_id, "device": devices, **server.extra}
