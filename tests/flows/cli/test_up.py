"""`mindrail status` and `down` where nothing was started, and what `up` records of its options."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from flows.cli.main import command_line
from flows.service.options import Options


def test_status_of_a_store_without_a_service_says_that_nothing_runs(tmp_path: Path) -> None:
    done = CliRunner().invoke(command_line, ["status", "--store", str(tmp_path), "--json"])
    rows = json.loads(done.stdout)
    assert done.exit_code == 1
    assert {name: row["health"] for name, row in rows.items()} == dict.fromkeys(
        ("server", "worker", "reports"), "does not run"
    )


def test_down_ends_nothing_where_nothing_runs(tmp_path: Path) -> None:
    done = CliRunner().invoke(command_line, ["down", "--store", str(tmp_path)])
    assert (done.exit_code, done.output) == (0, "ended: nothing ran\n")


def test_options_are_recorded_without_secrets(tmp_path: Path) -> None:
    options = Options(
        tmp_path, "0.0.0.0", 4300, "postgresql+asyncpg://u:hidden@h/d", "user:hidden", 2, ray=True
    )
    options.write(tmp_path)
    assert b"hidden" not in (tmp_path / "service.json").read_bytes()
    assert "hidden" not in options.summary
    read = Options.read(tmp_path, tmp_path)
    assert (read.api, read.reports, read.ray_port, read.limit) == (
        "http://127.0.0.1:4300/api",
        "http://127.0.0.1:4301/runs",
        4302,
        2,
    )
