"""What README and docs say is true: commands exist, links lead somewhere, tables are the schema's."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.config.describe import describe
from modelcore.config.schema import Pipeline
from tests.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def console_lines(*programs: str) -> list[str]:
    blocks = (
        block for page in PAGES for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.S)
    )
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return sorted({line for line in lines if line.split()[0] in programs})


@pytest.mark.parametrize("line", console_lines("mindrail"))
def test_every_mindrail_command_that_is_shown_exists_with_its_options(line):
    words = shlex.split(line)[1:]
    group = command_line
    while words and words[0] in getattr(group, "commands", {}):
        group = group.commands[words.pop(0)]
    assert not hasattr(group, "commands"), f"{line}: no such command"
    group.make_context(line, words)


@pytest.mark.parametrize(
    "line", [line for line in console_lines("mindrail") if "config" in line.split() or "store" in line]
)
def test_commands_that_take_no_time_run_as_shown(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(command_line, line.split()[1:]).exit_code == 0


@pytest.mark.parametrize("line", console_lines("make"))
def test_every_make_target_that_is_shown_exists(line):
    subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("line", console_lines("prefect"))
def test_every_prefect_command_that_is_shown_exists(line):
    words = [word for word in line.split()[1:] if not word.startswith("-")][:2]
    words = words if words != ["deploy"] else ["deploy"]
    done = subprocess.run([sys.executable, "-m", "prefect", *words, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_of_the_repository(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_configuration_page_is_what_the_command_prints():
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert page.endswith(describe(Pipeline)), (
        "run: mindrail config, and put its table into docs/configuration.md"
    )
