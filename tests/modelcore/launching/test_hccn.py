from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.launching.hccn import address_from_hccn_tool, read_hccn_conf


def test_each_device_has_its_address(tmp_path: Path) -> None:
    conf = tmp_path / "hccn.conf"
    conf.write_text(
        "# set by hccn_tool\naddress_0=192.168.100.101\nnetmask_0=255.255.255.0\ngateway_0=192.168.100.1\n"
        "\n address_10 = 192.168.101.101 \nnetdetect_0=192.168.100.2\n"
    )
    assert read_hccn_conf(conf) == {0: "192.168.100.101", 10: "192.168.101.101"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("netmask_0=255.255.255.0\n", "hccn.conf: no line address_<device>=<ip>"),
        ("address_0=192.168.100\n", "hccn.conf:1: '192.168.100' is not an IP address"),
        ("address_0=\n", "hccn.conf:1: '' is not an IP address"),
        ("address_0=10.0.0.1\naddress_0=10.0.0.2\n", "hccn.conf:2: device 0 has two addresses"),
        ("address_0=10.0.0.1\naddress_1=10.0.0.1\n", "hccn.conf:2: 10.0.0.1 is another device's address too"),
    ],
)
def test_a_wrong_file_is_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "hccn.conf").write_text(text)
    with pytest.raises(MindrailError) as raised:
        read_hccn_conf(tmp_path / "hccn.conf")
    assert str(raised.value) == f"{tmp_path}/{message}"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        MindrailError, match="hccn.conf: no such file; set the devices' addresses with hccn_tool"
    ):
        read_hccn_conf(tmp_path / "hccn.conf")


def test_the_tools_output_is_understood() -> None:
    assert address_from_hccn_tool("ipaddr:192.168.100.101\nnetmask:255.255.255.0\n", 0) == "192.168.100.101"


def test_a_tool_that_failed_is_named_with_what_it_said() -> None:
    with pytest.raises(MindrailError, match=r"^hccn_tool -i 3 -ip -g: no ipaddr in 'cmd execute failed'$"):
        address_from_hccn_tool("cmd execute failed\n", 3)
