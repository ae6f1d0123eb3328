"""`mindrail ranktable`: tables as the model cards show them, from each source, merged in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.errors import MindrailError


def run(*arguments: object) -> dict[str, Any]:
    line = ["ranktable", *map(str, arguments), "--json"]
    result = CliRunner().invoke(command_line, line, catch_exceptions=False)
    assert result.exit_code == 0
    found: dict[str, Any] = json.loads(result.output)
    return found


def table(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text())
    return read


def hccn_conf(directory: Path, host: int) -> Path:
    path = directory / f"hccn_{host}.conf"
    path.write_text(
        "".join(f"address_{i}=192.{i % 4 + 1}.{host}.{i}\nnetmask_{i}=255.255.0.0\n" for i in range(8))
    )
    return path


def create(directory: Path, host: int) -> Path:
    output = directory / f"hccl_{host}.json"
    run("create", "--server-id", f"10.0.0.{host}", "--conf", hccn_conf(directory, host), "-o", output)
    return output


def test_a_hosts_table_is_the_model_cards(tmp_path: Path) -> None:
    made = table(create(tmp_path, 1))
    assert {key: made[key] for key in ("version", "server_count", "status")} == {
        "version": "1.0",
        "server_count": "1",
        "status": "completed",
    }
    (server,) = made["server_list"]
    assert server["server_id"] == "10.0.0.1" and server["host_nic_ip"] == "reserve"
    assert server["device"][7] == {"device_id": "7", "device_ip": "192.4.1.7", "rank_id": "7"}


@pytest.mark.parametrize(("option", "order"), [((), ["2", "10"]), (("--keep-order",), ["10", "2"])])
def test_tables_are_merged_by_number_or_as_given(
    tmp_path: Path, option: tuple[str, ...], order: list[str]
) -> None:
    output = tmp_path / "all.json"
    found = run("merge", create(tmp_path, 10), create(tmp_path, 2), *option, "-o", output)
    assert found["world_size"] == 16
    servers = table(output)["server_list"]
    assert [server["server_id"] for server in servers] == [f"10.0.0.{number}" for number in order]
    assert [d["rank_id"] for server in servers for d in server["device"]] == [str(r) for r in range(16)]


def test_a_host_twice_and_another_version_are_refused(tmp_path: Path) -> None:
    one = create(tmp_path, 1)
    with pytest.raises(MindrailError, match="server 10.0.0.1 occurs 2 times"):
        run("merge", one, one)
    other = tmp_path / "other.json"
    other.write_text(one.read_text().replace('"1.0"', '"1.2"'))
    with pytest.raises(MindrailError, match="version is '1.2', not '1.0'"):
        run("merge", one, other)


def test_a_file_of_hosts_gives_the_table_of_all(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(
        "# first\n10.0.0.9 192.168.0.1,192.168.0.2\n\n10.0.0.1 192.168.1.1 192.168.1.2  # second\n"
    )
    run("create", "--hosts", hosts, "-o", tmp_path / "all.json")
    servers = table(tmp_path / "all.json")["server_list"]
    assert [server["server_id"] for server in servers] == ["10.0.0.9", "10.0.0.1"]
    assert servers[1]["device"][1] == {"device_id": "1", "device_ip": "192.168.1.2", "rank_id": "3"}
    hosts.write_text("10.0.0.1 192.168.1.300")
    with pytest.raises(MindrailError, match=r"hosts:1: '192.168.1.300' is not an IP address"):
        run("create", "--hosts", hosts)


def test_modelarts_groups_of_instances_are_ranked_by_their_pods(tmp_path: Path) -> None:
    instances = [
        {
            "pod_name": f"job-{pod}",
            "server_id": f"10.0.0.{pod + 1}",
            "devices": [{"device_id": str(i), "device_ip": f"192.168.{pod}.{i}"} for i in range(2)],
        }
        for pod in (10, 2)
    ]
    group = {"group_name": "job", "device_count": "4", "instance_count": "2", "instance_list": instances}
    raw = {"status": "completed", "group_count": "1", "group_list": [group]}
    source = tmp_path / "jobstart_hccl.json"
    source.write_text(json.dumps(raw))
    run("merge", source, "--keep-order", "-o", tmp_path / "all.json")
    servers = table(tmp_path / "all.json")["server_list"]
    assert [server["server_id"] for server in servers] == ["10.0.0.3", "10.0.0.11"]
    assert servers[1]["device"][0] == {"device_id": "0", "device_ip": "192.168.10.0", "rank_id": "2"}
    source.write_text(json.dumps({**raw, "status": "initializing"}))
    with pytest.raises(MindrailError, match="status is 'initializing', not 'completed'"):
        run("merge", source)
