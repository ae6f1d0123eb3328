"""`mindrail launch --print`: commands of every host, and the plan that their ranks read."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.errors import MindrailError
from modelcore.launching.rank_table import merge_rank_tables, rank_table_of_host
from modelcore.launching.rank_table_file import write_rank_table
from modelcore.training.plan import TrainPlan

YAML = """
download: {source: codellama-7b}
preprocess: {input: rows.json, seq_length: 64}
parallel: {data_parallel: 2, model_parallel: 2}
launch: {environment_set: codellama-finetune, environment: {HCCL_BUFFSIZE: "400"}}
train: {steps: 10, batch_size: 2}
"""
EXPORTS = [
    "export MS_DEV_SIDE_EFFECT_LOAD_ELIM=3",
    "export MS_MEMORY_POOL_RECYCLE=1",
    "export GE_NOT_CUT=1",
    "export HCCL_BUFFSIZE=400",
]


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """A run of four ranks with what the steps before it made."""
    (tmp_path / "finetune.yaml").write_text(YAML)
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "config.json").touch()
    (tmp_path / "rows.mindrecord").touch()
    places = {"shards": "shards", "rows": "rows.mindrecord", "output": "output"}
    options = [part for name, place in places.items() for part in (f"--{name}", str(tmp_path / place))]
    return ["launch", "--print", str(tmp_path / "finetune.yaml"), *options]


def printed(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(command_line, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    found: dict[str, Any] = json.loads(result.output)
    return found


def test_every_host_gets_the_cards_environment_and_its_msrun_command(
    inputs: list[str], tmp_path: Path
) -> None:
    found = printed(*inputs, "--host", "10.0.0.1", "--host", "10.0.0.2")
    assert list(found["hosts"]) == ["10.0.0.1", "10.0.0.2"]
    *exports, command = found["hosts"]["10.0.0.2"]
    assert exports == EXPORTS
    logs = tmp_path / "output" / "logs"
    assert command.split() == [
        *("msrun", "--worker_num=4", "--local_worker_num=2", "--master_addr=10.0.0.1", "--master_port=8118"),
        *("--node_rank=1", f"--log_dir={logs}", "--join=True", "--cluster_time_out=600"),
        *("python", "-m", "modelcore.training.rank", str(logs / "plan.json")),
    ]
    plan = TrainPlan.read(Path(found["plan"]))
    assert (plan.steps, plan.layout.world_size, plan.model) == (10, 4, str(tmp_path / "shards"))


@pytest.mark.parametrize("failing", [None, 3])
def test_the_lines_of_a_rank_table_start_each_rank_and_fail_if_one_does(
    inputs: list[str], tmp_path: Path, failing: int | None
) -> None:
    tables = [rank_table_of_host(f"10.0.0.{h}", {0: f"192.168.{h}.0", 1: f"192.168.{h}.1"}) for h in (1, 2)]
    write_rank_table(merge_rank_tables(tables), tmp_path / "hccl.json")
    found = printed(*inputs, "--rank-table", str(tmp_path / "hccl.json"))
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(
        '#!/bin/sh\necho "$RANK_ID of $RANK_SIZE on $DEVICE_ID with $HCCL_BUFFSIZE: $*"\n'
        f'test "$RANK_ID" != {failing}\n'
    )
    python.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", "\n".join(found["hosts"]["10.0.0.2"])],
        env={**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"},
        check=False,
    )
    assert (done.returncode == 0) == (failing is None)
    for rank, device in ((2, 0), (3, 1)):
        said = (tmp_path / "output" / "logs" / f"worker_{rank}.log").read_text()
        assert said == f"{rank} of 4 on {device} with 400: -m modelcore.training.rank {found['plan']}\n"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "launch: give either --host for each host, or --rank-table"),
        (("--host", "a", "--host", "b", "--host", "c"), "--host: 4 ranks do not divide by 3 hosts"),
        (("--host", "a", "--rows", "nowhere"), "nowhere: no such file; shard and preprocess first"),
    ],
)
def test_what_cannot_be_started_is_refused(inputs: list[str], more: tuple[str, ...], message: str) -> None:
    with pytest.raises(MindrailError, match=message):
        printed(*inputs, *more)
