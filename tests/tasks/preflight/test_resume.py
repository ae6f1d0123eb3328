"""A run resumes only from a checkpoint of the same job; that is known from its state, without its tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelcore.config.runs import Training
from modelcore.errors import MindrailError
from tasks.preflight import preflight
from tasks.train_plan import plan_of
from tests.local_runs import Runs


def training(runs: Runs, *changes: str) -> Training:
    config = runs.read("finetune", *changes)
    assert isinstance(config, Training)
    return config


def interrupted(runs: Runs, step: int, **plan: Any) -> Path:
    """Write what an interrupted run leaves that is read here: the state of its first rank."""
    directory = runs.directory / "interrupted"
    state = directory / "checkpoints" / "dp1_mp1_pp1" / f"step_{step:08d}" / "rank_0" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"step": step, "plan": plan_of(training(runs)).as_plain() | plan}))
    return directory


def test_a_checkpoint_of_the_same_job_is_accepted(runs: Runs) -> None:
    source = interrupted(runs, 4, output="elsewhere", checkpoint_every=2)
    assert preflight(training(runs, f"train.resume_from={source}")) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("train.learning_rate=1e-3", "learning_rate 2e-05, now it is 0.001"),
        ("train.batch_size=4", "batch_size × accumulate × data_parallel 8, now it is 4"),
        ("seed=2", "seed 1, now it is 2"),
    ],
)
def test_a_checkpoint_of_another_job_is_refused(change: str, said: str, runs: Runs) -> None:
    source = interrupted(runs, 4)
    with pytest.raises(MindrailError, match="^train.resume_from: .*step_00000004: ") as refused:
        preflight(training(runs, f"train.resume_from={source}", change))
    assert said in str(refused.value)


def test_a_run_with_epochs_may_resume_and_is_compared_without_its_steps(runs: Runs) -> None:
    resume = (f"train.resume_from={interrupted(runs, 4)}", "train.steps=null", "train.epochs=3")
    assert preflight(training(runs, *resume)) == ()
    with pytest.raises(MindrailError, match="seed 1, now it is 2"):
        preflight(training(runs, *resume, "seed=2"))


def test_a_checkpoint_that_cannot_be_read_leaves_the_one_before(runs: Runs) -> None:
    interrupted(runs, 6)
    source = interrupted(runs, 4, seed=2)
    (newest,) = source.rglob("step_00000006/rank_0/state.json")
    newest.write_text("{")
    with pytest.raises(MindrailError, match="step_00000004: .*seed 2, now it is 1"):
        preflight(training(runs, f"train.resume_from={source}"))
