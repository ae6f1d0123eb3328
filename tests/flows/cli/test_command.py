"""The command answers at once, says what is wrong in one line, and keeps stdout for its result."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.cli.main import command_line
from tests.paths import ROOT

HEAVY = ("mindspore", "torch", "prefect", "transformers", "matplotlib")


def mindrail(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.cli.main", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def commands(group=command_line, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    for name, command in getattr(group, "commands", {}).items():
        found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_every_command_has_help_that_says_what_it_does(path):
    from click.testing import CliRunner

    result = CliRunner().invoke(command_line, [*path, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output
    described = result.output.split("\n\n")[1].strip()
    assert len(described) > 20


@pytest.mark.parametrize("path", [path for path in commands() if path], ids=" ".join)
def test_every_command_that_gives_a_result_takes_json(path):
    from click.testing import CliRunner

    command: Any = command_line
    for name in path:
        command = command.commands[name]
    if not hasattr(command, "commands") and path != ("completion",):  # which prints a program for a shell
        assert "--json" in CliRunner().invoke(command_line, [*path, "--help"]).output


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from flows.cli.main import command_line\n"
        "try: command_line(['--help'])\n"
        f"finally: sys.stderr.write(','.join(m for m in {HEAVY} if m in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert "Usage" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["run", "configs/demoo.yaml"],
            "there is no such file; did you mean configs/demo.yaml?",
        ),
        (
            ["run", "configs/demo.yaml"],
            "demo.yaml is for `mindrail demo`, not `mindrail run`",
        ),
        (
            ["demo", "--set", "train.stepz=1"],
            "train.stepz: unknown key; did you mean steps?",
        ),
        (["demo", "--set", "generate.template=bogus"], "bogus"),
        (["demo", "--set", "parallel.model_parallel=4"], "launch.world_size is 2"),
        (
            [
                "demo",
                "--set",
                "parallel={data_parallel: 1, model_parallel: 8}",
                "--set",
                "launch.world_size=8",
            ],
            "num_attention_heads 4 of config.json does not divide by model_parallel 8",
        ),
        (
            [
                "demo",
                "--set",
                "parallel={data_parallel: 1, pipeline_stage: 3}",
                "--set",
                "launch.world_size=3",
            ],
            "4 layers do not divide into 3 stages; give offset, e.g. [0, 0, 1]",
        ),
        (
            ["demo", "--set", "train.resume_from=nowhere"],
            "train.resume_from: nowhere: there is no such directory",
        ),
        (["bogus"], "No such command"),
        (["demo", "--stor", "x"], "No such option"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, said, tmp_path):
    result = mindrail(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert said in line


def test_an_error_with_json_is_one_object_on_stdout():
    result = mindrail("run", "nowhere.yaml", "--json")
    assert result.returncode == 2
    assert json.loads(result.stdout)["exit_code"] == 2


def test_an_empty_store_lists_nothing(tmp_path):
    result = mindrail("store", "list", "--store", str(tmp_path), "--json")
    assert (result.returncode, json.loads(result.stdout)) == (0, {"artifacts": [], "bytes": 0})
