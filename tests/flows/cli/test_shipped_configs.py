"""Every shipped YAML × every command that takes one: accepted, or refused with the commands it is for."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.errors import MindrailError
from tests.local_runs import Runs, write_model
from tests.paths import ROOT

SHIPPED = sorted((ROOT / "configs").glob("*.yaml"))

ACCEPTS = {
    "run": ("finetune",),
    "finetune": ("finetune", "pretrain"),
    "pretrain": ("pretrain",),
    "evaluate": ("evaluate", "finetune"),
    "layout": ("demo", "finetune", "pretrain", "predict"),
    "plan": ("demo", "evaluate", "finetune", "pretrain", "predict"),
    "launch": ("demo", "finetune", "pretrain"),
    "shard": ("demo", "finetune", "pretrain", "predict"),
    "reshard": ("demo", "finetune", "pretrain", "predict"),
    "preprocess": ("demo", "finetune", "pretrain"),
    "predict": ("demo", "evaluate", "finetune"),
    "config": ("demo", "evaluate", "finetune", "pretrain", "predict"),
}
"""The shipped YAMLs that a command takes, by the first word of their names."""

MEANT_FOR = {
    "demo": "`mindrail demo`",
    "evaluate": "`mindrail evaluate`",
    "finetune": "`mindrail run` or `mindrail finetune`",
    "pretrain": "`mindrail pretrain` or `mindrail finetune`",
    "predict": "`mindrail layout` or `mindrail shard`",
}

# What each command is called with, and the mistake that it finds in an accepted YAML before any work.
SOURCE = ("--set", "download.source=file:///nowhere")
CALLS: dict[str, tuple[tuple[str, ...], str]] = {
    "run": (("CONFIG", *SOURCE), "download.source: "),
    "finetune": (("CONFIG", *SOURCE), "download.source: "),
    "pretrain": (("CONFIG", *SOURCE), "download.source: "),
    "evaluate": (("ftp://nowhere", "--config", "CONFIG"), "checkpoints: "),
    "layout": (("CONFIG", *SOURCE), "/nowhere: "),
    "plan": (("CONFIG", "--set", "store=/dev/null/store"), ""),
    "launch": (
        ("CONFIG", "--print", "--shards", "s", "--rows", "r", "--output", "o", "--host", "a"),
        "s/config.json: no such file",
    ),
    "shard": (("nowhere", "made", "--config", "CONFIG"), "nowhere"),
    "reshard": (("nowhere", "made", "--config", "CONFIG"), "nowhere"),
    "preprocess": (
        ("nowhere", "--tokenizer", "t", "--output", "o", "--config", "CONFIG"),
        "nowhere: there is no such file",
    ),
    "predict": (("nowhere", "--prompt", "x", "--config", "CONFIG"), "nowhere: there is no such file"),
    "config": (("CONFIG",), ""),
}


def outcome(command: str, config: Path, *more: str) -> str:
    """Return the line that a command ends with, "" if it succeeds."""
    words = [str(config) if word == "CONFIG" else word for word in CALLS[command][0]]
    done = CliRunner().invoke(command_line, [command, *words, *more])
    if isinstance(done.exception, MindrailError):
        return str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.stderr if done.exit_code else ""


@pytest.mark.parametrize("command", ACCEPTS)
def test_every_shipped_yaml_is_accepted_or_refused_with_the_commands_it_is_for(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for config in SHIPPED:
        word = config.stem.partition("_")[0]
        line, is_demo = outcome(command, config), word == "demo"
        if word not in ACCEPTS[command]:
            sentence = f"{config} is for {MEANT_FOR[word]}, not `mindrail {command}`"
            assert line.startswith(sentence) and "\n" not in line
        elif is_demo and command == "launch":  # hosts may differ, so their precision must be named
            assert "train.precision: auto" in line
        elif not (is_demo and command == "layout"):  # its model is made up on the spot: nothing to miss
            assert CALLS[command][1] in line, config
    assert not list(tmp_path.iterdir())


def test_the_table_has_every_command_that_takes_a_yaml() -> None:
    taking = {
        name
        for name, command in command_line.commands.items()
        if any("config" in parameter.name for parameter in command.params if parameter.name)
    }
    assert taking | {"config"} == ACCEPTS.keys()


def test_what_a_command_makes_no_use_of_is_logged(tmp_path: Path) -> None:
    config = ROOT / "configs" / "finetune_codellama_34b_16p.yaml"
    said = CliRunner().invoke(command_line, ["finetune", str(config), *SOURCE]).stderr
    assert (
        f"`mindrail finetune` makes no use of baseline, baseline_template, generate, score in {config}"
        in said
    )


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    (tmp_path / "model").mkdir()
    return Runs(tmp_path, write_model(tmp_path / "model"))


def test_a_mistake_in_a_section_that_is_left_out_is_still_a_mistake(runs: Runs) -> None:
    line = outcome("finetune", runs.yaml("pipeline"), "--set", "score.kk=1")
    assert "score.kk: unknown key; did you mean k?" in line


def test_a_misspelt_section_is_named_by_the_nearest_kind(runs: Runs) -> None:
    assert "trian: unknown key; did you mean train?" in outcome(
        "finetune", runs.yaml("pipeline"), "--set", "trian.steps=1"
    )


def test_a_run_without_what_the_command_needs_says_so(runs: Runs) -> None:
    line = outcome("run", runs.yaml("finetune"))
    sentence = "is for `mindrail finetune`, not `mindrail run`: generate: this key is required; add it"
    assert line.endswith(sentence)
    from_nothing = runs.yaml("pretrain")
    from_nothing.write_text(from_nothing.read_text() + "random_weights: true\n")
    assert outcome("finetune", from_nothing).endswith("is for `mindrail pretrain`, not `mindrail finetune`")


def test_a_flag_changes_what_the_yaml_says_and_a_default_does_not(tmp_path: Path) -> None:
    config = ROOT / "configs" / "predict_codellama_34b_2p.yaml"
    refused = outcome("shard", config, "--pipeline-stage", "2", "--offset", "1")
    assert "offset has 1 numbers, pipeline_stage is 2" in refused


def test_the_demos_own_keys_are_explained() -> None:
    for arguments in ([], ["demo"]):
        said = CliRunner().invoke(command_line, ["config", *arguments]).stdout
        assert "| `first_programs.model.num_heads` |" in said
    assert CliRunner().invoke(command_line, ["config", "bogus"]).exit_code == 2
