"""What is adopted from another run, and what is refused; how the numbers go on is in test_layouts.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelcore.checkpoints.shards import rank_file
from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.progress import silent
from modelcore.training.checkpoint import checkpoints_of, step_directory
from modelcore.training.checkpoint_file import read_part
from modelcore.training.job import Job
from modelcore.training.plan import TrainPlan
from modelcore.training.resume_from import adopt
from tests.tensors import read_tensors

TP2 = Layout(model_parallel=2)


@pytest.fixture(scope="module")
def stopped(make_plan: Callable) -> TrainPlan:
    """A job of one rank that was stopped at step 8, with checkpoints of steps 5 and 8."""
    plan = make_plan("stopped")
    Job(plan, 0, silent).run(8)
    return plan


@pytest.fixture
def source(stopped: TrainPlan, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stopped.output, tmp_path / "stopped"))


@pytest.fixture
def plan(stopped: TrainPlan, tmp_path: Path) -> TrainPlan:
    """The same job at another layout."""
    changes = {"output": str(tmp_path / "elsewhere"), "layout": TP2, "batch_size": 4, "accumulate": 2}
    return stopped.model_copy(update=changes)


def test_the_newest_checkpoint_becomes_one_of_the_new_layout(source: Path, plan: TrainPlan):
    adopted = adopt(source, plan)
    assert adopted is not None
    assert (adopted.step, adopted.layout, adopted.checkpoint.name) == (8, Layout(), "step_00000008")
    directory = step_directory(checkpoints_of(plan), 8)
    before = read_tensors(rank_file(adopted.checkpoint, 0))
    after = [read_tensors(rank_file(directory, rank)) for rank in range(2)]
    for name in ("model.layers.0.attention.wq.weight", "adam_v.model.layers.0.attention.wq.weight"):
        assert np.array_equal(np.concatenate([part[name] for part in after]), before[name])
    for rank in range(2):
        state, old = read_part(directory, rank), read_part(adopted.checkpoint, 0)
        assert state["plan"]["layout"]["model_parallel"] == 2
        for key in ("step", "updates", "loss_scale", "good_steps", "first_loss"):
            assert state[key] == old[key]
    steps = (Path(plan.output) / "metrics.jsonl").read_text().count("\n")
    assert steps == 8


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(source: Path, plan: TrainPlan):
    newest = sorted(source.rglob("step_*"))[-1]
    file = rank_file(newest, 0)
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    lines: list[str] = []
    adopted = adopt(source, plan, log=lines.append)
    assert adopted is not None
    assert adopted.step == 5
    assert "checkpoint of step 8 is not used" in lines[0] and "sha256" in lines[0]


def test_one_checkpoint_may_be_named_itself(source: Path, plan: TrainPlan):
    adopted = adopt(sorted(source.rglob("step_*"))[0], plan)
    assert adopted is not None
    assert adopted.step == 5
    assert (Path(plan.output) / "metrics.jsonl").read_text().count("\n") == 5


def test_a_run_that_is_as_far_itself_adopts_nothing(source: Path, plan: TrainPlan):
    assert adopt(source, plan) is not None
    assert adopt(source, plan) is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"learning_rate": 0.5}, r"made with learning_rate 0\.01, now it is 0\.5"),
        ({"accumulate": 1}, "made with batch_size × accumulate × data_parallel 8, now it is 4"),
        ({"seed": 2}, "made with seed 1, now it is 2"),
    ],
)
def test_another_job_is_refused(source: Path, plan: TrainPlan, change: dict, complaint: str):
    with pytest.raises(MindrailError, match=complaint):
        adopt(source, plan.model_copy(update=change))


def test_a_directory_without_checkpoints_is_refused(plan: TrainPlan, tmp_path: Path):
    with pytest.raises(MindrailError, match="holds no complete checkpoint of a run; name the directory of"):
        adopt(tmp_path, plan)
