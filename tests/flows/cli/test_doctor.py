"""What doctor finds here, and what it says of what is wrong."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.errors import StepFailed
from modelcore.sandbox.isolation import LEVELS, NOT_HIDDEN
from tasks import doctor


def test_this_machine_can_do_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    done = CliRunner().invoke(command_line, ["doctor", "--store", str(tmp_path), "--json"])
    result = json.loads(done.stdout)
    states = {one["name"]: one["state"] for one in result["findings"]}
    assert {"versions", "disk", "cores", "memory", "precision", "MindSpore", "isolation"} <= set(states)
    assert done.exit_code == (0 if result["healthy"] else 1)
    assert states["MindSpore"] == states["Prefect server"] == "good"


@pytest.mark.parametrize("level", LEVELS)
def test_it_says_what_a_level_of_isolation_does_not_hide(level: str) -> None:
    found = doctor._isolated(level)
    assert level in found.detail and all(seen in found.detail for seen in NOT_HIDDEN[level])
    assert found.state == ("good" if level == "namespaces" else "note")


def test_a_server_that_is_away_is_wrong_and_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PREFECT_API_URL", "http://127.0.0.1:1/api")

    def refuse() -> None:
        raise StepFailed("no answer")

    found = doctor._server(refuse)
    assert found.state == "wrong" and "mindrail up" in found.fix


def test_a_cluster_that_is_away_is_wrong_and_one_that_answers_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_RAY", tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert doctor._ray().detail == "no cluster: runs stay on this host"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        (tmp_path / "ray_current_cluster").write_text(f"127.0.0.1:{port}")
        assert doctor._ray().state == "good" and "answers" in doctor._ray().detail
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    found = doctor._ray()
    assert found.state == "wrong" and "ray start --head" in found.fix


def test_without_ray_runs_stay_on_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    found = doctor._ray()
    assert found.state == "good" and "mindrail[cluster]" in found.fix


def test_devices_without_cann_are_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_DEVICES", tmp_path)
    monkeypatch.setattr(doctor, "_ASCEND_HOMES", (str(tmp_path / "cann"),))
    monkeypatch.delenv("ASCEND_HOME_PATH", raising=False)
    assert doctor._ascend().state == "good"
    for name in ("davinci0", "davinci1", "davinci_manager"):
        (tmp_path / name).touch()
    assert doctor._ascend().detail == "2 devices, but no CANN"
    (tmp_path / "cann").mkdir()
    assert "setenv" in doctor._ascend().fix
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path / "cann"))
    assert doctor._ascend().state == "good"


@pytest.mark.parametrize(
    ("flags", "state"), [("avx512f amx_bf16", "good"), ("avx512f", "note"), ("sse2", "note")]
)
def test_the_fast_precision_follows_from_the_processor(
    flags: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "processor_units", lambda: tuple(flags.split()))
    assert doctor._precision().state == state
