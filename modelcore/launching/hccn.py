"""The addresses of a host's own devices, from what Ascend's tools write. Runs no tool.

`/etc/hccn.conf` holds lines such as `address_0=192.168.100.101`, one for each device, among others;
`hccn_tool -i 0 -ip -g` prints `ipaddr:192.168.100.101` and `netmask:…`.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from modelcore.boundary.files import read_utf8
from modelcore.errors import MindrailError

__all__ = ["address_from_hccn_tool", "read_hccn_conf"]

_LARGEST = 1 << 20  # bytes
_ADDRESS = re.compile(r"\s*address_(\d+)\s*=\s*(\S*)\s*", re.ASCII)


def read_hccn_conf(path: Path) -> dict[int, str]:
    """Return the IP address of each device by its number.

    Raises:
        MindrailError: there is no such file, no address in it, something that is no IP address, or a device
            or address twice.
    """
    if not path.exists():
        raise MindrailError("no such file", where=path, fix="set the devices' addresses with hccn_tool")
    lines = read_utf8(path, _LARGEST).splitlines()
    addresses: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        if not (match := _ADDRESS.fullmatch(line)):
            continue
        where, device, address = f"{path}:{number}", int(match[1]), _checked(match[2], f"{path}:{number}")
        if device in addresses:
            raise MindrailError(f"device {device} has two addresses", where=where)
        if address in addresses.values():
            raise MindrailError(f"{address} is another device's address too", where=where)
        addresses[device] = address
    if not addresses:
        raise MindrailError("no line address_<device>=<ip>", where=path)
    return addresses


def address_from_hccn_tool(output: str, device_id: int) -> str:
    """Return the IP address in what `hccn_tool -i <device_id> -ip -g` printed.

    Raises:
        MindrailError: there is none in it.
    """
    where = f"hccn_tool -i {device_id} -ip -g"
    if not (match := re.search(r"^\s*ipaddr\s*:\s*(\S+)", output, re.MULTILINE)):
        raise MindrailError(f"no ipaddr in {output.strip()[:100]!r}", where=where)
    return _checked(match[1], where)


def _checked(address: str, where: str) -> str:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise MindrailError(f"{address!r} is not an IP address", where=where) from None
    return address
