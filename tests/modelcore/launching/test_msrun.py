from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelcore.errors import MindrailError
from modelcore.launching.msrun import failure_limits, msrun_command, rank_table_environments
from modelcore.launching.process import LeashedProcess, stop_all
from modelcore.launching.rank_table import merge_rank_tables, rank_table_of_host

HOSTS = ("10.213.7.1", "10.213.7.2")


def test_the_command_of_the_second_of_two_hosts(tmp_path: Path) -> None:
    command = msrun_command(
        ["-m", "modelcore.training.rank", "plan.json"],
        hosts=HOSTS,
        host_index=1,
        ranks_per_host=8,
        log_dir=Path("msrun_log"),
    )
    assert command == [
        "msrun",
        "--worker_num=16",
        "--local_worker_num=8",
        "--master_addr=10.213.7.1",
        "--master_port=8118",
        "--node_rank=1",
        "--log_dir=msrun_log",
        "--join=True",
        "--cluster_time_out=600",
        "python",
        "-m",
        "modelcore.training.rank",
        "plan.json",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"host_index": 2}, "hosts: host index 2, but 2 hosts"),
        ({"host_index": -1}, "hosts: host index -1, but 2 hosts"),
        ({"hosts": ("a", "a")}, "hosts: a host is named twice"),
        ({"ranks_per_host": 0}, "ranks_per_host: 0 ranks on a host; at least 1"),
        ({"port": 80}, "port: 80 is not a port that msrun takes; 1024-65535"),
    ],
)
def test_what_cannot_be_launched_is_refused(change: dict[str, Any], message: str) -> None:
    job: dict[str, Any] = {
        "hosts": HOSTS,
        "host_index": 0,
        "ranks_per_host": 1,
        "log_dir": Path("log"),
        **change,
    }
    with pytest.raises(MindrailError) as raised:
        msrun_command(["train.py"], **job)
    assert str(raised.value) == message


def test_each_rank_of_a_host_gets_its_number_its_device_and_the_table(tmp_path: Path) -> None:
    table = merge_rank_tables(
        [rank_table_of_host(f"10.0.0.{n}", {4: f"192.168.{n}.4", 5: f"192.168.{n}.5"}) for n in (1, 2)]
    )
    environments = rank_table_environments(table, table.server("10.0.0.2"), tmp_path / "hccl_2s_4p.json")
    assert [(e["RANK_ID"], e["DEVICE_ID"], e["RANK_SIZE"]) for e in environments] == [
        ("2", "4", "4"),
        ("3", "5", "4"),
    ]
    assert {e["RANK_TABLE_FILE"] for e in environments} == {str(tmp_path / "hccl_2s_4p.json")}


@pytest.fixture
def two_hosts() -> Iterator[tuple[str, str]]:
    """Two network namespaces joined by a cable, with the addresses of HOSTS."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and the ip command to make two network namespaces")
    names = (f"mr{os.getpid()}a", f"mr{os.getpid()}b")
    try:
        for name in names:
            _ip("netns", "add", name)
        _ip(
            "link",
            "add",
            "cable",
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            names[1],
        )
        for name, address in zip(names, HOSTS, strict=True):
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            for device in ("cable", "lo"):
                _ip("-n", name, "link", "set", device, "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@pytest.mark.long
@pytest.mark.ranks
def test_ranks_on_two_hosts_sum_over_both(tmp_path: Path, two_hosts: tuple[str, str]) -> None:
    script = tmp_path / "sum.py"
    script.write_text(_ALL_REDUCE)
    environment = {
        **os.environ,
        **failure_limits(heartbeat_s=10, receive_s=20),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    processes: list[LeashedProcess] = []
    try:
        for index, name in enumerate(two_hosts):
            command = msrun_command(
                [str(script)], hosts=HOSTS, host_index=index, ranks_per_host=1, log_dir=tmp_path / name
            )
            inside = ["ip", "netns", "exec", name, *command]
            log = tmp_path / f"{name}.log"
            processes.append(LeashedProcess(name, inside, environment=environment, log=log))
        deadline = time.monotonic() + 120
        sums = [tmp_path / name / f"worker_{index}.log" for index, name in enumerate(two_hosts)]
        while not all(log.exists() and "sum 3.0" in log.read_text() for log in sums):
            assert time.monotonic() < deadline, [process.failure_reason() for process in processes]
            time.sleep(0.1)
        assert [process.reap() for process in processes] == [0, 0]
    finally:
        stop_all(processes)


_ALL_REDUCE = """
import numpy as np
import mindspore
from mindspore import ops
from mindspore.communication import get_rank, init

init()
total = ops.AllReduce()(mindspore.Tensor(np.array([get_rank() + 1.0], np.float32)))
print("sum", total.asnumpy()[0], flush=True)
"""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
