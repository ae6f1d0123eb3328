from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.launching.host_devices import device_addresses


def tool(tmp_path: Path, script: str) -> str:
    path = tmp_path / "hccn_tool"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    for name in ("davinci0", "davinci1", "davinci10", "davinci_manager", "null"):
        (tmp_path / "dev" / name).touch()
    return tmp_path / "dev"


def test_the_tool_is_asked_for_each_device_of_the_driver(tmp_path: Path, nodes: Path) -> None:
    answering = tool(
        tmp_path, 'echo "ipaddr:192.168.0.1$2"; echo "netmask:255.255.0.0"; test "$3 $4" = "-ip -g"'
    )
    assert device_addresses(tmp_path / "none", nodes, answering) == {
        0: "192.168.0.10",
        1: "192.168.0.11",
        10: "192.168.0.110",
    }


def test_a_file_is_preferred_to_the_tool(tmp_path: Path, nodes: Path) -> None:
    (tmp_path / "hccn.conf").write_text("address_3=10.1.1.3\n")
    assert device_addresses(tmp_path / "hccn.conf", nodes, tool(tmp_path, "exit 1")) == {3: "10.1.1.3"}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no such device >&2; exit 7", "hccn_tool -i 0 -ip -g: exit code 7: no such device"),
        ("echo", "hccn_tool -i 0 -ip -g: no ipaddr in ''"),
    ],
)
def test_a_tool_that_names_no_address_is_quoted(
    tmp_path: Path, nodes: Path, script: str, message: str
) -> None:
    with pytest.raises(MindrailError, match=message):
        device_addresses(tmp_path / "none", nodes, tool(tmp_path, script))


def test_a_host_without_devices_or_without_the_tool_gets_an_error_that_says_what_to_do(
    tmp_path: Path, nodes: Path
) -> None:
    with pytest.raises(MindrailError, match="shows no Ascend device; run this on the Ascend host"):
        device_addresses(tmp_path / "none", tmp_path)
    with pytest.raises(MindrailError, match="is not installed; install Ascend's driver tools"):
        device_addresses(tmp_path / "none", nodes, str(tmp_path / "missing"))
