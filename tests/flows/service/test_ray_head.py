"""`mindrail up --ray`: the head of a Ray cluster with a token, used by whoever has it, ended by `down`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.service.ray_head import ray_environment
from tests.flows.service.running import free_port
from tests.paths import ROOT

NODES = "import ray; ray.init(log_to_driver=False); print(len(ray.nodes()))"


def test_the_token_is_created_once_and_is_its_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    token = Path(ray_environment(tmp_path, 4202)["RAY_AUTH_TOKEN_PATH"])
    first = token.read_text()
    ray_environment(tmp_path, 4202)
    assert token.read_text() == first and len(first) == 64
    assert token.stat().st_mode & 0o777 == 0o600


def test_a_token_of_the_users_own_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/somewhere")
    assert ray_environment(tmp_path, 4202) == {"RAY_ADDRESS": "127.0.0.1:4202", "RAY_AUTH_MODE": "token"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
@pytest.mark.long
@pytest.mark.timeout(900)
def test_up_starts_a_head_that_needs_the_token_and_down_ends_it(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    port = free_port()
    store = tmp_path / "store"
    try:
        up = mindrail("up", "--ray", "--port", str(port), "--store", str(store), "--json")
        assert up.returncode == 0, up.stderr
        address = json.loads(up.stdout)["ray"]
        assert address == f"127.0.0.1:{port + 2}"
        status = mindrail("status", "--store", str(store), "--json")
        assert status.returncode == 0 and json.loads(status.stdout)["ray"]["healthy"]
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(store / ".server" / "ray_token")}
        assert ask_ray(address, token).stdout == "1\n"
        assert ask_ray(address, {"RAY_AUTH_MODE": "disabled"}).returncode != 0
    finally:
        down = mindrail("down", "--store", str(store))
    assert down.stdout == "ended: reports, worker, ray, server\n"
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert f"--port={port + 2}" not in processes and f":{port + 2}" not in processes


def mindrail(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "flows.cli.main", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600)


def ask_ray(address: str, token: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **token, "RAY_ADDRESS": address}
    return subprocess.run(
        [sys.executable, "-c", NODES], env=environment, capture_output=True, text=True, timeout=300
    )
