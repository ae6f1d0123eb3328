"""Which devices a host has, and the addresses of their network ports: from the host itself, or from a list.

On an Ascend host /etc/hccn.conf names the addresses; without it `hccn_tool` is run for each device in /dev.
The commands are tested with a program in hccn_tool's place; nothing here was run on Ascend.
"""

from __future__ import annotations

import ipaddress
import re
import subprocess
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.launching.hccn import address_from_hccn_tool, read_hccn_conf
from modelcore.launching.rank_table import RankTable, merge_rank_tables, rank_table_of_host

__all__ = ["HCCN_CONF", "device_addresses", "read_hosts_file"]

HCCN_CONF = Path("/etc/hccn.conf")
_TIMEOUT_S = 30.0


def device_addresses(
    conf: Path = HCCN_CONF, nodes: Path = Path("/dev"), tool: str = "hccn_tool"
) -> dict[int, str]:
    """Return the address of each of this host's devices by its number.

    Args:
        conf: the file to read; where there is none, the tool is asked.
        nodes: where the driver has its device nodes, davinci0, davinci1, ….
        tool: hccn_tool, or its path.

    Raises:
        MindrailError: neither file nor tool names an address.
    """
    if conf.exists():
        return read_hccn_conf(conf)
    found = (re.fullmatch(r"davinci(\d+)", node.name) for node in nodes.iterdir())
    numbers = sorted(int(match[1]) for match in found if match)
    if not numbers:
        raise MindrailError(
            f"no {conf} and no {nodes}/davinci0: this host shows no Ascend device",
            fix="run this on the Ascend host, or list the devices in a file (--hosts)",
        )
    return {number: _ask(tool, number) for number in numbers}


def read_hosts_file(path: Path) -> RankTable:
    """Return the table of the hosts in a file, in the file's order.

    A line is a host's address and the addresses of its devices 0, 1, …, separated by spaces or commas; from
    "#" on it is a comment.

    Raises:
        MindrailError: no such file, something in it that is no IP address, or what `RankTable` refuses.
    """
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise MindrailError("no such file", where=path) from None
    tables = []
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        for word in words:
            _check_address(word, f"{path}:{number}")
        tables.append(rank_table_of_host(words[0], dict(enumerate(words[1:]))))
    try:
        return merge_rank_tables(tables, sort=False)
    except MindrailError as error:
        raise MindrailError(str(error), where=path) from error


def _ask(tool: str, device: int) -> str:
    command = [tool, "-i", str(device), "-ip", "-g"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except FileNotFoundError:
        fix = "install Ascend's driver tools, or list the devices in a file (--hosts)"
        raise MindrailError("is not installed", where=tool, fix=fix) from None
    except subprocess.TimeoutExpired:
        raise MindrailError(f"no answer within {_TIMEOUT_S:g} s", where=" ".join(command)) from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[:200]
        raise MindrailError(f"exit code {done.returncode}: {said}", where=" ".join(command))
    return address_from_hccn_tool(done.stdout, device)


def _check_address(word: str, where: str) -> None:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        raise MindrailError(f"{word!r} is not an IP address", where=where) from None
