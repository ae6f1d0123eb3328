from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcore.errors import MindrailError
from modelcore.launching.rank_table import Device, RankTable, Server, merge_rank_tables, rank_table_of_host


def host(number: int, devices: int = 2, subnet: str = "10.0.0") -> RankTable:
    return rank_table_of_host(f"{subnet}.{number}", {i: f"192.168.{number}.{i + 1}" for i in range(devices)})


def test_the_devices_of_a_host_are_ranked_by_their_number() -> None:
    table = rank_table_of_host("10.0.0.1", {10: "192.168.0.10", 2: "192.168.0.2"})
    assert [(d.device_id, d.rank_id, d.device_ip) for d in table.servers[0].devices] == [
        (2, 0, "192.168.0.2"),
        (10, 1, "192.168.0.10"),
    ]
    assert table.servers[0].server_id == "10.0.0.1"
    assert table.servers[0].extra == {"host_nic_ip": "reserve"}


def test_devices_without_an_address_are_not_taken_for_the_same() -> None:
    table = RankTable((Server("a", (Device(0, "", 0), Device(1, "", 1))),))
    assert table.world_size == 2


def test_hosts_are_ranked_by_number_not_by_letter() -> None:
    table = merge_rank_tables([host(10), host(2), host(1)])
    assert [server.server_id for server in table.servers] == ["10.0.0.1", "10.0.0.2", "10.0.0.10"]
    assert [device.rank_id for server in table.servers for device in server.devices] == list(range(6))


def test_hosts_with_names_are_ranked_by_the_number_in_them() -> None:
    tables = [RankTable((Server(f"node_{n}", (Device(0, f"192.168.0.{n}", 0),)),)) for n in (10, 9)]
    assert [server.server_id for server in merge_rank_tables(tables).servers] == ["node_9", "node_10"]


@given(st.permutations(range(1, 13)))
def test_the_order_of_the_tables_does_not_matter(order: list[int]) -> None:
    assert merge_rank_tables([host(n, 1) for n in order]) == merge_rank_tables(
        [host(n, 1) for n in range(1, 13)]
    )


def test_merging_a_merged_table_changes_nothing() -> None:
    table = merge_rank_tables([host(1), host(2)])
    assert merge_rank_tables([table]) == table


def test_the_same_host_twice_is_refused() -> None:
    with pytest.raises(MindrailError, match=r"^server 10.0.0.1 occurs 2 times$"):
        merge_rank_tables([host(1), host(1)])


def test_two_hosts_whose_devices_have_the_same_address_are_refused() -> None:
    with pytest.raises(MindrailError, match=r"^device_ip 192.168.1.1 occurs 2 times$"):
        merge_rank_tables([host(1), rank_table_of_host("10.0.0.2", {0: "192.168.1.1"})])


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ((), "server a: no device"),
        ((Device(0, "1.1.1.1", 0), Device(0, "1.1.1.2", 1)), "device_id of server a 0 occurs 2 times"),
        ((Device(0, "1.1.1.1", 0), Device(1, "1.1.1.2", 0)), "rank_id 0 occurs 2 times"),
        ((Device(0, "1.1.1.1", 0), Device(1, "1.1.1.2", 2)), "2 devices, but no rank_id 1"),
        ((Device(0, "1.1.1.1", 1),), "1 devices, but no rank_id 0"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(devices: tuple[Device, ...], message: str) -> None:
    with pytest.raises(MindrailError) as raised:
        RankTable((Server("a", devices),))
    assert str(raised.value) == message


def test_a_table_without_a_host_is_refused() -> None:
    with pytest.raises(MindrailError, match="^no server$"):
        merge_rank_tables([])


def test_files_have_the_names_that_mindformers_users_expect() -> None:
    assert host(3, 8).file_name == "hccl_8p_01234567_10.0.0.3.json"
    assert merge_rank_tables([host(1, 8), host(2, 8)]).file_name == "hccl_2s_16p.json"


def test_a_host_is_found_by_its_address_or_the_known_ones_are_listed() -> None:
    table = merge_rank_tables([host(1), host(2)])
    assert table.server("10.0.0.2") == table.servers[1]
    with pytest.raises(
        MindrailError, match=r"no server 10.0.0.3 in the rank table; it has 10.0.0.1, 10.0.0.2"
    ):
        table.server("10.0.0.3")
