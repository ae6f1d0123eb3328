"""Jobs of one rank, run for real; those of several ranks are in test_layouts.py."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelcore.errors import MindrailError
from modelcore.progress import silent
from modelcore.training.job import Job
from modelcore.training.parts import part_file, read_tensors, write_tensors
from modelcore.training.plan import TrainPlan


def run(plan: TrainPlan) -> None:
    Job(plan, 0, silent).run()


def test_a_job_learns_and_leaves_weights_metrics_and_nothing_else(make_plan: Callable, helpers):
    plan = make_plan("out", steps=60, checkpoint_every=7)
    run(plan)
    losses = [row["loss"] for row in helpers.metrics(plan)]
    assert len(losses) == 60 and losses[-1] < 0.6 * losses[0]
    assert sorted(helpers.result_bytes(plan)) == [
        "config.json",
        "metrics.jsonl",
        "rank_0/checkpoint_0.ckpt",
        "strategy/ckpt_strategy_rank_0.ckpt",
    ]
    before, after = (read_tensors(part_file(Path(place), 0)) for place in (plan.model, plan.output))
    assert list(before) == list(after)
    assert all(np.abs(after[name] - before[name]).max() > 0 for name in before)


def test_two_runs_give_the_same_bytes(make_plan: Callable, helpers):
    plan = make_plan("first", steps=8)
    other = replace(plan, output=plan.output + "_again")
    run(plan)
    run(other)
    assert helpers.result_bytes(plan) == helpers.result_bytes(other)


def test_a_killed_job_goes_on_and_ends_with_the_same_bytes(make_plan: Callable, helpers):
    plan = make_plan("killed", steps=40, checkpoint_every=5)
    undisturbed = replace(plan, output=plan.output + "_not")
    helpers.start_alone(undisturbed).communicate(timeout=120)
    first = helpers.start_alone(plan)
    kill_at_step(first, plan, 13)
    text, _ = helpers.start_alone(plan).communicate(timeout=120)
    assert "resumed from the checkpoint of step" in text
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed)


def kill_at_step(process, plan: TrainPlan, step: int) -> None:
    path = Path(plan.output) / "metrics.jsonl"
    while not path.exists() or path.read_text().count("\n") < step:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_accumulation_gives_the_numbers_of_one_large_batch(make_plan: Callable, helpers):
    whole, parts = make_plan("whole", steps=6), make_plan("parts", steps=6, batch_size=2, accumulate=4)
    run(whole)
    run(parts)
    for one, other in zip(helpers.metrics(whole), helpers.metrics(parts), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["global_norm"] == pytest.approx(other["global_norm"], rel=1e-4)
        assert one["tokens"] == other["tokens"]


def test_a_loss_that_is_not_a_number_stops_the_run(make_plan: Callable, helpers):
    plan = make_plan("nan")
    file = part_file(Path(plan.model), 0)
    weights = read_tensors(file)
    weights["model.norm_out.weight"][3] = np.nan
    write_tensors(file, weights)
    with pytest.raises(
        MindrailError, match="the loss is nan at step 1 on rank 0; there is no checkpoint yet"
    ):
        run(plan)


def test_an_exploding_loss_stops_the_run_and_keeps_the_checkpoint(make_plan: Callable, helpers):
    plan = make_plan(
        "explodes", learning_rate=30.0, warmup_steps=12, steps=15, checkpoint_every=1, weight_decay=0.0
    )
    with pytest.raises(MindrailError, match=r"exploded.*the checkpoint of step (\d+) is kept"):
        run(plan)
    assert len(list((Path(plan.output) / "checkpoints").iterdir())) == 2


def test_other_settings_do_not_go_on_from_these_checkpoints(make_plan: Callable, helpers):
    plan = make_plan("half", steps=12, checkpoint_every=4)
    process = helpers.start_alone(plan)
    kill_at_step(process, plan, 5)
    with pytest.raises(MindrailError, match="made with learning_rate 0.01, now it is 0.02"):
        run(replace(plan, learning_rate=0.02))


def test_a_model_sharded_for_another_layout_is_refused(make_plan: Callable, helpers):
    plan = make_plan("wrong")
    file = part_file(Path(plan.model), 0)
    weights = read_tensors(file)
    write_tensors(file, {name: value for name, value in weights.items() if "layers.1" not in name})
    with pytest.raises(MindrailError, match=r"checkpoint_0\.ckpt: has no tensor model\.layers\.1\."):
        run(plan)
    write_tensors(file, {**weights, "model.layers.0.attention.wq.weight": np.zeros((16, 32), np.float32)})
    with pytest.raises(MindrailError, match=r"wq\.weight is \[16, 32\], the network's \[32, 32\]"):
        run(plan)
