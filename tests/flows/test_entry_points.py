"""Every command and every flow checks before it works: nothing is in the store when it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows import steps
from flows.cli.main import command_line
from flows.evaluate import evaluate
from flows.finetune import finetune
from flows.pipeline import pipeline
from flows.pretrain import pretrain
from modelcore.config.checkpoint import Download
from modelcore.config.data import Preprocess
from modelcore.config.training import Parallel
from modelcore.errors import MindrailError
from tests.local_runs import Runs, write_model


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    (tmp_path / "model").mkdir()
    return Runs(tmp_path, write_model(tmp_path / "model"))


COMMANDS = {"run": "pipeline", "finetune": "finetune", "pretrain": "pretrain", "evaluate": "evaluate"}
DANGLING = {
    "pipeline": ("generate.benchmark=nowhere", "generate.benchmark: "),
    "finetune": ("preprocess.input=nowhere", "preprocess.input: "),
    "pretrain": ("train.resume_from=nowhere", "train.resume_from: "),
    "evaluate": ("generate.benchmark=nowhere", "generate.benchmark: "),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_checks_before_it_starts_a_server(command: str, runs: Runs) -> None:
    change, said = DANGLING[COMMANDS[command]]
    file = [str(runs.yaml(COMMANDS[command]))]
    path = ["--config", *file] if command == "evaluate" else file
    refused = CliRunner().invoke(command_line, [command, *path, "--set", change])
    assert isinstance(refused.exception, MindrailError)
    assert str(refused.exception).startswith(said)
    assert not runs.store.exists()


@pytest.mark.parametrize(
    ("kind", "flow"),
    [("pipeline", pipeline), ("finetune", finetune), ("pretrain", pretrain), ("evaluate", evaluate)],
)
def test_a_flow_of_the_dashboard_checks_before_its_first_step(kind: str, flow: Any, runs: Runs) -> None:
    change, said = DANGLING[kind]
    with pytest.raises(MindrailError) as refused:
        flow.fn(runs.read(kind, change))
    assert str(refused.value).startswith(said)
    assert not runs.store.exists()


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (lambda model, store: steps.download.fn(Download(source="hf://x"), store), "download.source: "),
        (
            lambda model, store: steps.preprocess.fn(
                model, Preprocess(input=[f"{model}/tokenizer.json"], benchmarks=["nowhere"]), store
            ),
            "preprocess.",
        ),
        (lambda model, store: steps.shard.fn(model, Parallel(model_parallel=3), store=store), "parallel: "),
        (lambda model, store: steps.reshard.fn(model, Parallel(offset=[1]), store=store), "parallel: "),
        (
            lambda model, store: steps.convert.fn(model, store=f"{model}/config.json/x"),
            "store: ",
        ),
    ],
)
def test_a_single_step_checks_before_it_works(
    step: Callable[[str, str], object], said: str, runs: Runs
) -> None:
    with pytest.raises(MindrailError) as refused:
        step(str(runs.model), str(runs.store))
    assert str(refused.value).startswith(said)
    assert not runs.store.exists()


@pytest.mark.server
def test_a_secret_that_prefect_does_not_have_is_named(server: None, runs: Runs) -> None:
    config = Download(source=runs.model.as_uri(), token_secret="nobodys")
    with pytest.raises(MindrailError, match="download.token_secret: nobodys: Prefect has no Secret"):
        steps.download(config, str(runs.store))
