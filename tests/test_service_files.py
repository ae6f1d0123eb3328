"""The systemd units and the compose file under docs/: their syntax, and that what they start exists."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from flows.cli.main import command_line
from tests.paths import ROOT

SERVICE = ROOT / "docs" / "service"
UNITS = sorted(SERVICE.glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_what_exists(unit: Path) -> None:
    parsed = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(unit)
    assert set(parsed.sections()) == {"Unit", "Service", "Install"}
    check_command(shlex.split(parsed["Service"]["ExecStart"]))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_finds_no_mistake_in_a_unit(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    mistakes = [
        line for line in done.stderr.splitlines() if unit.name in line and "not executable" not in line
    ]
    assert mistakes == []


def test_the_compose_file_starts_what_exists() -> None:
    services = yaml.safe_load((SERVICE / "compose.yaml").read_text())["services"]
    assert set(services) == {"database", "server", "worker", "reports"}
    for name in ("server", "worker", "reports"):
        assert set(services[name].get("depends_on", {})) <= set(services)
        for part in services[name]["command"].removeprefix('sh -c "').rstrip('"').split(" && "):
            check_command(shlex.split(part))


def check_command(words: list[str]) -> None:
    program = Path(words[0]).name
    if program == "mindrail":
        assert words[1] in command_line.commands
    elif program == "python":
        assert words[1] == "-m" and (ROOT / f"{words[2].replace('.', '/')}.py").is_file()
    else:
        assert words[:2] == [words[0], "server"] or words[1:3] == ["worker", "start"]
