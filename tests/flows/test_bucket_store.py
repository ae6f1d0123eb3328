"""The whole pipeline with its store in a bucket on a real S3 server: one host builds, another finds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from modelcore.store.location import CACHE
from tests.bucket import serve_bucket
from tests.flows.reduced_demo import demo_command
from tests.paths import ROOT

pytestmark = [pytest.mark.long, pytest.mark.ranks, pytest.mark.server]


def test_a_run_with_its_store_in_a_bucket_is_found_whole_by_another_host(tmp_path, monkeypatch, server):
    with serve_bucket() as address:
        monkeypatch.setenv(CACHE, str(tmp_path / "a"))
        built = run(demo_command(address))
        assert not any(step["cached"] for step in built["steps"])
        monkeypatch.setenv(CACHE, str(tmp_path / "b"))
        found = run(demo_command(address))
        assert all(step["cached"] for step in found["steps"])
        assert [step["digest"] for step in found["steps"]] == [step["digest"] for step in built["steps"]]
        assert found["pass_at_1"] == built["pass_at_1"]
        mindrail = [sys.executable, "-m", "flows.cli.main"]
        listed = run([*mindrail, "store", "ls", "--store", address, "--json"])
        assert {row["step"] for row in listed["artifacts"]} >= {"launch", "merge", "score"}
        assert run([*mindrail, "store", "verify", "--store", address, "--json"])["damaged"] == 0
        monkeypatch.setenv(CACHE, str(tmp_path / "c"))
        assert len(run([*mindrail, "results", "--store", address, "--json"])["results"]) == 2
        assert len(run([*mindrail, "runs", "--store", address, "--json"])["runs"]) == 2
        names = (row["id"] for row in run([*mindrail, "results", "--store", address, "--json"])["results"])
        assert run([*mindrail, "compare", *names, "--store", address, "--json"])["won"] is not None


def run(command: list[str]) -> dict:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
