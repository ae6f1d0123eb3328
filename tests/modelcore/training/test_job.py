"""Jobs of one rank, run for real; those of several ranks are in test_layouts.py."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelcore.checkpoints.shards import rank_file
from modelcore.errors import MindrailError
from modelcore.progress import silent
from modelcore.training.checkpoint import checkpoints_of, step_directory
from modelcore.training.checkpoint_file import read_part, write_tensors
from modelcore.training.job import Job
from modelcore.training.plan import TrainPlan
from tests.tensors import read_tensors


def run(plan: TrainPlan) -> None:
    Job(plan, 0, silent).run()


def run_alone(plan: TrainPlan, helpers) -> str:
    """Run the job in a process of its own, as it is meant to be; return what it said."""
    process = helpers.start_alone(plan)
    said, complaint = process.communicate(timeout=300)
    assert process.returncode == 0, complaint
    return said


@pytest.fixture(scope="module")
def undisturbed(make_plan: Callable, shared_rows: Path, helpers) -> TrainPlan:
    plan = make_plan("undisturbed", steps=40, validation=str(shared_rows), validate_every=7)
    run_alone(plan, helpers)
    return plan


@pytest.fixture(scope="module")
def exploded(make_plan: Callable) -> tuple[TrainPlan, str]:
    plan = make_plan("explodes", learning_rate=3.0, warmup_steps=12, steps=30, checkpoint_every=1)
    with pytest.raises(MindrailError) as error:
        run(plan)
    return plan, str(error.value)


def test_a_job_learns_and_leaves_weights_and_metrics(undisturbed: TrainPlan, helpers):
    losses = [row["loss"] for row in helpers.metrics(undisturbed)]
    assert len(losses) == 40 and losses[-1] < 0.6 * losses[0]
    assert sorted(helpers.result_bytes(undisturbed)) == [
        "config.json",
        "metrics.jsonl",
        "rank_0/checkpoint_0.ckpt",
        "strategy/ckpt_strategy_rank_0.ckpt",
    ]
    before, after = (
        read_tensors(rank_file(Path(place), 0)) for place in (undisturbed.model, undisturbed.output)
    )
    assert list(before) == list(after)
    assert all(np.abs(after[name] - before[name]).max() > 0 for name in before)


def test_a_killed_job_goes_on_and_ends_with_the_bytes_of_an_undisturbed_one(undisturbed: TrainPlan, helpers):
    plan = undisturbed.model_copy(update={"output": undisturbed.output + "_killed"})
    kill_at_step(helpers.start_alone(plan), plan, 13)
    assert "resumed from the checkpoint of step" in run_alone(plan, helpers)
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed)


def test_a_job_that_is_lost_after_its_weights_were_written_loses_no_checkpoint(
    undisturbed: TrainPlan, helpers
):
    plan = undisturbed.model_copy(update={"output": undisturbed.output + "_lost_at_the_end"})
    shutil.copytree(undisturbed.output, plan.output)
    assert "resumed from the checkpoint of step 35" in run_alone(plan, helpers)
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed)


def test_a_rank_whose_work_is_done_is_not_failed_by_others_that_left_before_it(
    undisturbed: TrainPlan, helpers, monkeypatch: pytest.MonkeyPatch
):
    plan = undisturbed.model_copy(update={"output": undisturbed.output + "_left_alone"})
    shutil.copytree(undisturbed.output, plan.output)
    job = Job(plan, 0, silent)

    def broken() -> None:
        raise RuntimeError("Launch kernel failed: AllReduce")

    monkeypatch.setattr(job.agreement, "barrier", broken)
    job.run()
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed)


def kill_at_step(process: subprocess.Popen, plan: TrainPlan, step: int) -> None:
    path = Path(plan.output) / "metrics.jsonl"
    while not path.exists() or path.read_text().count("\n") < step:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.kill()
    process.communicate()


def test_accumulation_gives_the_numbers_of_one_large_batch(undisturbed: TrainPlan, helpers):
    parts = undisturbed.model_copy(
        update={"output": undisturbed.output + "_parts", "batch_size": 2, "accumulate": 4}
    )
    run(parts)
    pairs = list(zip(helpers.metrics(undisturbed), helpers.metrics(parts), strict=True))
    assert len(pairs) == 40
    for one, other in pairs[:20]:
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["global_norm"] == pytest.approx(other["global_norm"], rel=1e-4)
        assert one["tokens"] == other["tokens"]


@pytest.mark.parametrize("family", ["llama", pytest.param("gpt_bigcode", marks=pytest.mark.long)])
def test_recomputing_layers_changes_no_number(make_plan: Callable, helpers, family: str):
    kept = make_plan(f"kept {family}", family=helpers.family(family), steps=5)
    again = kept.model_copy(update={"output": kept.output + " again", "recompute": True})
    run(kept)
    run(again)
    pairs = list(zip(helpers.metrics(kept), helpers.metrics(again), strict=True))
    assert len(pairs) == 5
    for one, other in pairs:
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-6)
        assert one["global_norm"] == pytest.approx(other["global_norm"], rel=1e-5)


def test_fp16_lowers_its_loss_scale_until_nothing_overflows_and_goes_on_with_it(make_plan: Callable, helpers):
    plan = make_plan("fp16", precision="fp16", steps=24)
    undisturbed = plan.model_copy(update={"output": plan.output + "_undisturbed"})
    run(undisturbed)
    Job(plan, 0, silent).run(12)
    state = read_part(step_directory(checkpoints_of(plan), 12), 0)
    overflows = 12 - state["updates"]
    assert 0 < overflows < 12
    assert state["loss_scale"] == 65536 / 2**overflows
    run(plan)
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed)
    losses = [row["loss"] for row in helpers.metrics(plan)]
    assert losses[-1] < 0.8 * losses[0]


def test_a_loss_that_is_not_a_number_stops_the_run(make_plan: Callable):
    plan = make_plan("nan")
    file = rank_file(Path(plan.model), 0)
    weights = read_tensors(file)
    weights["model.norm_out.weight"][3] = np.nan
    write_tensors(file, weights)
    with pytest.raises(
        MindrailError,
        match="the loss is nan at step 1 on rank 0, whose weights are not finite; there is no checkpoint yet",
    ):
        run(plan)


def test_an_exploding_loss_stops_the_run_and_keeps_the_checkpoint(exploded: tuple[TrainPlan, str]):
    plan, message = exploded
    kept = [int(path.name[5:]) for path in sorted(Path(plan.output).glob("checkpoints/dp1_mp1_pp1/*"))]
    assert "the loss has exploded" in message
    assert f"the checkpoint of step {kept[-1]} is kept" in message
    assert len(kept) == plan.keep


def test_other_settings_do_not_go_on_from_these_checkpoints(exploded: tuple[TrainPlan, str]):
    with pytest.raises(MindrailError, match=r"made with learning_rate 3\.0, now it is 0\.02"):
        run(exploded[0].model_copy(update={"learning_rate": 0.02}))


def test_checkpoints_of_another_layout_are_not_overlooked(
    exploded: tuple[TrainPlan, str], make_plan: Callable
):
    plan = make_plan("elsewhere")
    saved = Path(exploded[0].output) / "checkpoints"
    shutil.copytree(saved / "dp1_mp1_pp1", Path(plan.output) / "checkpoints" / "dp2_mp1_pp1")
    with pytest.raises(
        MindrailError, match="checkpoints are of dp2 mp1 pp1, the plan's layout is dp1 mp1 pp1"
    ):
        run(plan)


def test_a_model_sharded_for_another_layout_is_refused(make_plan: Callable):
    plan = make_plan("wrong")
    file = rank_file(Path(plan.model), 0)
    weights = read_tensors(file)
    write_tensors(file, {name: value for name, value in weights.items() if "layers.1" not in name})
    with pytest.raises(MindrailError, match=r"checkpoint_0\.ckpt: has no tensor model\.layers\.1\."):
        run(plan)
    write_tensors(file, {**weights, "model.layers.0.attention.wq.weight": np.zeros((16, 32), np.float32)})
    with pytest.raises(MindrailError, match=r"wq\.weight is \[16, 32\], the network's \[32, 32\]"):
        run(plan)
