"""What a run would do: steps, memory and disk, and everything that is wrong at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from tests.local_runs import Runs, write_model
from tests.paths import ROOT


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    model = tmp_path / "model"
    model.mkdir()
    return Runs(tmp_path, write_model(model))


def plan(config: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(command_line, ["plan", str(config), *arguments, "--json"])
    return done.exit_code, json.loads(done.stdout)


def states(planned: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in planned["steps"]}


def test_a_34b_model_is_planned_without_a_network(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    code, planned = plan(ROOT / "configs" / "finetune_codellama_34b_16p.yaml", "--store", store)
    assert code == 1 and not planned["works"]
    assert planned["ranks"] == 16 and planned["parameters"] == pytest.approx(33.7e9, rel=0.01)
    assert all(stage["memory"]["total"] < 64e9 for stage in planned["stages"])
    sizes = {step["name"]: step["bytes"] for step in planned["steps"]}
    assert sizes["convert"] == pytest.approx(2 * planned["parameters"])
    assert any("preprocess.input" in line for line in planned["problems"])
    assert not Path(store).exists()


@pytest.mark.parametrize("kind", ["pipeline", "finetune", "pretrain", "evaluate", "predict"])
def test_a_run_that_can_start_is_said_to(kind: str, runs: Runs) -> None:
    code, planned = plan(runs.yaml(kind))
    assert (code, planned["problems"], planned["machine"]) == (0, [], [])
    assert set(states(planned).values()) == {"to do"}
    assert not runs.store.exists()


def test_all_that_is_wrong_is_said_at_once(runs: Runs) -> None:
    (runs.directory / "rows.json").unlink()
    code, planned = plan(
        runs.yaml("pipeline"),
        "--set",
        "parallel={model_parallel: 3}",
        "--set",
        "preprocess.seq_length=4000",
        "--set",
        "generate.benchmark=nowhere.jsonl",
    )
    assert code == 1
    for key in ("preprocess.input", "parallel", "preprocess.seq_length", "generate.benchmark"):
        assert any(line.startswith(key) for line in planned["problems"]), (key, planned["problems"])


def test_what_this_machine_lacks_does_not_count_for_another(runs: Runs) -> None:
    nowhere = str(runs.directory / "rows.json" / "store")
    config = ROOT / "configs" / "predict_codellama_34b_8p.yaml"
    code, planned = plan(config, "--elsewhere", "--store", nowhere)
    assert code == 0 and any("cannot write" in line for line in planned["machine"])
    assert plan(config, "--store", nowhere)[0] == 1


def test_a_yaml_that_cannot_be_read_is_bad_input(runs: Runs) -> None:
    done = CliRunner().invoke(command_line, ["plan", str(runs.directory / "nowhere.yaml")])
    assert done.exit_code != 0 and "no such file" in str(done.exception)


def test_the_table_has_every_step_and_the_devices(runs: Runs) -> None:
    done = CliRunner().invoke(command_line, ["plan", str(runs.yaml("pipeline"))])
    for text in ("launch", "score (before)", "stage 0: 1 devices", "the run can start"):
        assert text in done.stdout
