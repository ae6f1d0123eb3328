"""The sets of environment variables are listed, and a shell takes one as it is printed."""

from __future__ import annotations

import json
import subprocess

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.config.environment import ENVIRONMENT_SETS


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command_line, ["environment", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_set_is_listed_with_its_card() -> None:
    lines = run().splitlines()
    assert len(lines) == len(ENVIRONMENT_SETS)
    for line, (name, found) in zip(lines, ENVIRONMENT_SETS.items(), strict=True):
        assert line.startswith(name) and found.card in line
    assert [row["name"] for row in json.loads(run("--json"))["sets"]] == list(ENVIRONMENT_SETS)


@pytest.mark.parametrize("name", ENVIRONMENT_SETS)
def test_a_shell_takes_a_set_as_it_is_printed(name: str) -> None:
    found = ENVIRONMENT_SETS[name]  # type: ignore[index]
    before = {"PATH": "/usr/bin:/bin", **dict.fromkeys(found.unset, "1")}
    done = subprocess.run(["sh", "-c", f"{run(name)}\nenv"], env=before, capture_output=True, text=True)
    after = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert found.variables.items() <= after.items()
    assert not set(found.unset) & set(after)
