from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelcore.errors import MindrailError
from modelcore.launching.rank_table import merge_rank_tables, rank_table_of_host
from modelcore.launching.rank_table_file import read_rank_table, write_rank_table


def document() -> dict[str, Any]:
    return {
        "version": "1.0",
        "server_count": "1",
        "server_list": [
            {
                "server_id": "10.0.0.1",
                "device": [
                    {"device_id": "0", "device_ip": "192.168.1.1", "rank_id": "0"},
                    {"device_id": "1", "device_ip": "192.168.1.2", "rank_id": "1"},
                ],
                "host_nic_ip": "reserve",
            }
        ],
        "status": "completed",
    }


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "hccl.json"
    path.write_text(json.dumps(content))
    return path


def test_a_table_of_one_host_is_written_as_mindformers_writes_it(tmp_path: Path) -> None:
    table = rank_table_of_host("10.0.0.1", {0: "192.168.1.1", 1: "192.168.1.2"})
    write_rank_table(table, tmp_path / "hccl.json")
    assert json.loads((tmp_path / "hccl.json").read_text()) == document()


def test_what_is_written_is_read_back_the_same(tmp_path: Path) -> None:
    table = merge_rank_tables(
        [rank_table_of_host(f"10.0.0.{n}", {0: f"192.168.0.{n}"}) for n in range(1, 20)]
    )
    write_rank_table(table, tmp_path / "hccl.json")
    assert read_rank_table(tmp_path / "hccl.json") == table


def test_keys_of_other_tools_are_kept(tmp_path: Path) -> None:
    raw = document()
    raw["server_list"][0]["container_ip"] = "172.17.0.2"
    raw["server_list"][0]["device"][0]["device_port"] = "16667"
    write_rank_table(merge_rank_tables([read_rank_table(written(tmp_path, raw))]), tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == raw


def test_devices_are_put_in_the_order_of_their_ranks(tmp_path: Path) -> None:
    raw = document()
    raw["server_list"][0]["device"].reverse()
    assert [d.rank_id for d in read_rank_table(written(tmp_path, raw)).servers[0].devices] == [0, 1]


def test_a_device_address_may_be_missing(tmp_path: Path) -> None:
    raw = document()
    del raw["server_list"][0]["device"][0]["device_ip"]
    raw["server_list"][0]["device"][1]["device_ip"] = ""
    assert [d.device_ip for d in read_rank_table(written(tmp_path, raw)).servers[0].devices] == ["", ""]


def _set(raw: Any, *path: Any) -> None:
    *way, key, value = path
    for step in way:
        raw = raw[step]
    raw[key] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("version", "1.2"), "version is '1.2', not '1.0'"),
        (("status", "initializing"), "status is 'initializing', not 'completed'"),
        (("server_count", "2"), "server_count is 2, but server_list has 1"),
        (("server_count", 1), "server_count: 1 is not a str"),
        (("server_count", "one"), "server_count: 'one' is not a number"),
        (("server_list", {}), "server_list: {} is not a list"),
        (("server_list", 0, None), "server_list[0]: NoneType where an object with device is expected"),
        (("server_list", 0, "device", 1, "rank_id", "0"), "rank_id 0 occurs 2 times"),
        (("server_list", 0, "device", 1, "device_id", "0"), "device_id of server 10.0.0.1 0 occurs 2 times"),
        (
            ("server_list", 0, "device", 1, "rank_id", "-1"),
            "server_list[0]: device[1]: rank_id: '-1' is not a number",
        ),
        (
            ("server_list", 0, "device", 1, "device_ip", "192.168.1"),
            "server_list[0]: device[1]: device_ip: '192.168.1' is not an IP address",
        ),
        (("server_list", 0, "device", []), "server 10.0.0.1: no device"),
    ],
)
def test_a_wrong_table_is_refused_naming_file_and_key(
    tmp_path: Path, change: tuple[Any, ...], message: str
) -> None:
    raw = document()
    _set(raw, *change)
    path = written(tmp_path, raw)
    with pytest.raises(MindrailError) as raised:
        read_rank_table(path)
    assert str(raised.value) == f"{path}: {message}"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_file_that_is_not_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hccl.json").write_bytes(content)
    with pytest.raises(MindrailError, match="hccl.json: not JSON"):
        read_rank_table(tmp_path / "hccl.json")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match=r"hccl.json: no such file"):
        read_rank_table(tmp_path / "hccl.json")
