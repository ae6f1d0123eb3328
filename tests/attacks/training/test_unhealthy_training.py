"""Real jobs with something rotten in their weights, rows, settings or checkpoints; see README.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelcore.checkpoints.shards import rank_file
from modelcore.data.encoding.rows import Rows
from modelcore.data.mindrecord.file import MindRecordWriter
from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.progress import silent
from modelcore.training.checkpoint import checkpoints_of, step_directory
from modelcore.training.checkpoint_file import read_part, write_tensors
from modelcore.training.job import Job
from modelcore.training.order import rows_of_step
from modelcore.training.plan import TrainPlan
from tests.tensors import read_tensors

VOCABULARY, SEQUENCE = 64, 16
NO_TOKEN = 99


def run(plan: TrainPlan, until: int | None = None) -> None:
    Job(plan, 0, silent).run(until)


def stopped(plan: TrainPlan, until: int | None = None) -> str:
    """Run the job; return the line it stops with."""
    with pytest.raises(MindrailError) as error:
        run(plan, until)
    assert "\n" not in str(error.value)
    return str(error.value)


def ranks_stopped(plan: TrainPlan, helpers) -> str:
    """Run the job's ranks; return the line they stop with."""
    with pytest.raises(MindrailError) as error:
        helpers.run_ranks(plan)
    assert "\n" not in str(error.value)
    return str(error.value)


def kept(plan: TrainPlan) -> list[int]:
    """Return the steps of the checkpoints that are there and have the bytes written, on every rank."""
    steps = sorted(int(path.name[5:]) for path in checkpoints_of(plan).glob("step_*"))
    for step in steps:
        for rank in range(plan.layout.world_size):
            read_part(step_directory(checkpoints_of(plan), step), rank)
    return steps


def poison_weight(plan: TrainPlan, rank: int, name: str, value: float) -> None:
    file = rank_file(Path(plan.model), rank)
    weights = read_tensors(file)
    weights[name].flat[3] = value
    write_tensors(file, weights)


def write_rows(path: Path, poisoned: int, column: str = "input_ids", token: int = NO_TOKEN) -> Path:
    """Write 2000 rows, one of them with a token that the model does not know."""
    ids = np.random.default_rng(3).integers(0, VOCABULARY, (2000, SEQUENCE + 1)).astype(np.int32)
    rows = {"input_ids": ids, "labels": ids.copy()}
    rows[column][poisoned, 7] = token
    with MindRecordWriter(path, ("input_ids", "labels")) as writer:
        writer.write(Rows(rows["input_ids"], rows["labels"]))
    return path


def row_of(plan: TrainPlan, step: int, replica: int = 0) -> int:
    """Return a row that a replica reads in `step` (from 1)."""
    return int(rows_of_step(plan.seed, step - 1, plan.global_batch, 2000)[replica * plan.rows_per_replica])


@pytest.mark.parametrize("rate", [1e25, 1e39])
def test_a_huge_learning_rate_stops_the_run_and_nothing_that_is_not_finite_is_saved(
    make_plan: Callable, rate: float
):
    plan = make_plan(f"rate {rate}", learning_rate=rate, warmup_steps=0, checkpoint_every=1)
    assert "step " in stopped(plan)
    for step in kept(plan):
        tensors = read_tensors(rank_file(step_directory(checkpoints_of(plan), step), 0))
        assert all(np.isfinite(tensor).all() for tensor in tensors.values())


def test_weights_that_the_last_step_spoils_are_not_the_result(make_plan: Callable):
    plan = make_plan("last", learning_rate=1e39, warmup_steps=0, steps=1)
    assert "is not finite after step 1 on rank 0, so it is not saved" in stopped(plan)
    assert not list(Path(plan.output).glob("rank_*"))


def test_a_gradient_too_large_for_fp32_changes_no_weights(make_plan: Callable):
    job = Job(make_plan("gradient"), 0, silent)
    job._begin()
    before = [parameter.asnumpy().copy() for parameter in job.step.parameters]
    result = job.step.run(0, job._batches(0), 3e38)
    assert not result.updated and result.faulty == {"gradient"}
    assert np.isfinite(result.loss)
    for parameter, value in zip(job.step.parameters, before, strict=True):
        np.testing.assert_array_equal(parameter.asnumpy(), value)


@pytest.mark.parametrize(
    ("column", "token"), [("input_ids", NO_TOKEN), ("input_ids", -1), ("labels", NO_TOKEN), ("labels", -5)]
)
def test_a_poisoned_row_deep_in_the_file_stops_the_run_when_it_comes(
    make_plan: Callable, tmp_path: Path, column: str, token: int
):
    plan = make_plan(f"poisoned {column} {token}", checkpoint_every=2, steps=8)
    row = row_of(plan, 6)
    plan = plan.model_copy(update={"data": str(write_rows(tmp_path / "rows", row, column, token))})
    assert f"row {row} holds token {token} in {column}, the model has {VOCABULARY}" in stopped(plan)
    assert kept(plan) == [2, 4]


@pytest.mark.parametrize("damage", ["flipped", pytest.param("truncated", marks=pytest.mark.long)])
def test_a_damaged_checkpoint_is_named_and_the_one_before_gone_on_from(
    make_plan: Callable, capsys: pytest.CaptureFixture[str], damage: str
):
    plan = make_plan(damage, steps=8, checkpoint_every=2)
    run(plan, until=6)
    file = rank_file(step_directory(checkpoints_of(plan), 6), 0)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content[:-100] if damage == "truncated" else content)
    capsys.readouterr()
    run(plan, until=7)
    said = capsys.readouterr().out
    assert f"checkpoint of step 6 is not used: {file}: " in said
    assert "resumed from the checkpoint of step 4" in said
    assert kept(plan) == [6, 7]


def test_a_checkpoint_of_another_model_is_refused_and_stays(make_plan: Callable, helpers):
    plan = make_plan("this model", steps=8, checkpoint_every=2)
    run(plan, until=4)
    other = make_plan("other model", family=helpers.family("gpt_bigcode"), steps=8)
    other = other.model_copy(update={"output": plan.output, "checkpoint_every": 2})
    line = stopped(other)
    file = rank_file(step_directory(checkpoints_of(plan), 4), 0)
    assert line.startswith(f"{file}: has no tensor backbone.")
    assert kept(plan) == [2, 4]


@pytest.mark.ranks
@pytest.mark.parametrize(
    ("layout", "rank", "name", "value"),
    [
        (Layout(model_parallel=2), 1, "model.layers.0.attention.wq.weight", np.nan),
        pytest.param(Layout(data_parallel=2), 1, "model.norm_out.weight", np.inf, marks=pytest.mark.long),
        pytest.param(
            Layout(pipeline_stage=2), 0, "model.layers.0.ffn_norm.weight", np.nan, marks=pytest.mark.long
        ),
    ],
)
def test_the_rank_with_a_weight_that_is_not_finite_is_named(
    make_plan: Callable, helpers, layout: Layout, rank: int, name: str, value: float
):
    plan = make_plan(f"{value} at {layout}", layout)
    poison_weight(plan, rank, name, value)
    line = ranks_stopped(plan, helpers)
    assert f"the loss is nan at step 1 on rank {rank}, whose weights are not finite" in line


@pytest.mark.long
@pytest.mark.ranks
def test_one_ranks_poisoned_row_ends_all_and_the_run_goes_on_when_it_is_mended(
    make_plan: Callable, helpers, tmp_path: Path
):
    plan = make_plan("poisoned replica", Layout(data_parallel=2), checkpoint_every=2, steps=6)
    row = row_of(plan, 4, replica=1)
    plan = plan.model_copy(update={"data": str(write_rows(tmp_path / "rows", row))})
    assert f"row {row} holds token {NO_TOKEN}" in ranks_stopped(plan, helpers)
    assert kept(plan) == [2]
    mended = str(write_rows(tmp_path / "mended", row, token=1))
    helpers.run_ranks(plan.model_copy(update={"data": mended}))
    assert "resumed from the checkpoint of step 2" in (Path(plan.output) / "logs/worker_1.log").read_text()
    assert [row["step"] for row in helpers.metrics(plan)] == list(range(1, 7))
