"""Every layout trains to the numbers of one process: real ranks, real collectives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelcore.checkpoints.reshard import merge_checkpoint
from modelcore.parallel.mesh import Layout
from modelcore.progress import silent
from modelcore.training.checkpoint import checkpoints_of, step_directory
from modelcore.training.job import Job
from modelcore.training.plan import TrainPlan
from modelcore.training.resume_from import adopt
from tests.families import NAMES
from tests.tensors import read_tensors

pytestmark = pytest.mark.ranks

IN_FOUR: dict[str, object] = {"batch_size": 2, "accumulate": 4}
LAYOUTS: dict[str, tuple[Layout, dict[str, object]]] = {
    "alone": (Layout(), {}),
    "dp2": (Layout(data_parallel=2), {}),
    "ZeRO dp2": (Layout(data_parallel=2), {"shard_optimizer": True}),
    "tp2": (Layout(model_parallel=2), {}),
    "pp2": (Layout(pipeline_stage=2), IN_FOUR),
    "dp2 tp2": (Layout(data_parallel=2, model_parallel=2), {}),
    "tp2 pp2": (Layout(model_parallel=2, pipeline_stage=2), IN_FOUR),
    "dp2 pp2": (Layout(data_parallel=2, pipeline_stage=2), {"batch_size": 2, "accumulate": 2}),
    "ZeRO dp2 tp2": (Layout(data_parallel=2, model_parallel=2), {"shard_optimizer": True}),
    "accumulation": (Layout(), IN_FOUR),
}


@pytest.fixture(scope="module")
def plan_of(make_plan: Callable, helpers) -> Callable[..., TrainPlan]:
    """Make the plan of a layout by its name."""

    def make(name: str, layout: str, family: str = "llama", **given: object) -> TrainPlan:
        ranks, choices = LAYOUTS[layout]
        return make_plan(name, ranks, family=helpers.family(family), **{**choices, **given})

    return make


@pytest.fixture(scope="module")
def every_step(shared_rows: Path) -> dict[str, object]:
    """Options of a job of which twenty steps are done: each leaves a checkpoint, some a validation loss."""
    checkpoints = {"steps": 21, "checkpoint_every": 1, "keep": 21}
    return {**checkpoints, "validation": str(shared_rows), "validate_every": 7}


@pytest.fixture(scope="module")
def after_twenty(plan_of: Callable, every_step: dict, helpers) -> Callable[..., TrainPlan]:
    """Give the plan of a job that has done twenty steps, run when first asked for."""
    known: dict[tuple[str, str], TrainPlan] = {}

    def ran(family: str, layout: str) -> TrainPlan:
        if (family, layout) not in known:
            plan = plan_of(f"{family} {layout}", layout, family, **every_step)
            if plan.layout.world_size > 1:
                helpers.run_ranks(plan, until=20)
            else:
                Job(plan, 0, silent).run(20)
            known[family, layout] = plan
        return known[family, layout]

    return ran


def assert_same_numbers(one: list[dict], other: list[dict]) -> None:
    assert len(one) == len(other) == 20
    for a, b in zip(one, other, strict=True):
        assert a["tokens"] == b["tokens"]
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-5), f"step {a['step']}"
        assert b["global_norm"] == pytest.approx(a["global_norm"], rel=1e-4), f"step {a['step']}"
        assert ("validation_loss" in b) == ("validation_loss" in a)
        assert b.get("validation_loss", 0) == pytest.approx(a.get("validation_loss", 0), rel=1e-5)


def first_gradients(plan: TrainPlan) -> dict[str, np.ndarray]:
    """Return the whole model's gradients of the first step: Adam's mean after it, but for a factor."""
    merged = Path(plan.output) / "merged"
    if not merged.exists():
        merge_checkpoint(step_directory(checkpoints_of(plan), 1), merged)
    tensors = read_tensors(merged / "model.ckpt").items()
    return {name: tensor for name, tensor in tensors if name.startswith("adam_m.")}


def assert_same_gradients(one: TrainPlan, other: TrainPlan) -> None:
    expected, found = first_gradients(one), first_gradients(other)
    assert sorted(expected) == sorted(found)
    steepest = max(np.abs(gradient).max() for gradient in expected.values())
    for name, gradient in expected.items():
        # What is added to every key changes no softmax: its gradient is zero, and rounding.
        size = 1e-2 * steepest if name.endswith("attention.dense2.bias") else np.abs(gradient).max()
        assert size > 0, name
        assert np.abs(found[name] - gradient).max() <= 1e-5 * size, name


def assert_same_training(helpers, one: TrainPlan, other: TrainPlan) -> None:
    assert_same_numbers(helpers.metrics(one), helpers.metrics(other))
    assert_same_gradients(one, other)


@pytest.mark.parametrize("layout", ["ZeRO dp2", "tp2 pp2"])
def test_a_layout_trains_to_the_numbers_and_gradients_of_one_process(
    after_twenty: Callable, helpers, layout: str
):
    assert_same_training(helpers, after_twenty("llama", "alone"), after_twenty("llama", layout))


@pytest.mark.long
@pytest.mark.parametrize("family", NAMES)
@pytest.mark.parametrize("layout", list(LAYOUTS)[1:])
def test_every_layout_trains_to_the_numbers_and_gradients_of_one_process(
    after_twenty: Callable, helpers, family: str, layout: str
):
    assert_same_training(helpers, after_twenty(family, "alone"), after_twenty(family, layout))


def assert_packed_rows_train_alike(plan_of: Callable, helpers, data: Path, family: str, layout: str) -> None:
    few = {"data": str(data), "steps": 5, "checkpoint_every": 1, "keep": 5}
    alone = plan_of(f"{family} packed alone for {layout}", "alone", family, **few)
    divided = plan_of(f"{family} packed {layout}", layout, family, **few)
    Job(alone, 0, silent).run(4)
    helpers.run_ranks(divided, until=4)
    one, other = helpers.metrics(alone), helpers.metrics(divided)
    assert [row["tokens"] for row in one] == [row["tokens"] for row in other]
    assert [row["loss"] for row in one] == pytest.approx([row["loss"] for row in other], rel=1e-5)
    assert_same_gradients(alone, divided)


@pytest.mark.long
@pytest.mark.parametrize("family", NAMES)
@pytest.mark.parametrize("layout", ["ZeRO dp2", "tp2", "pp2", "tp2 pp2"])
def test_packed_rows_of_every_family_train_to_the_numbers_of_one_process(
    plan_of: Callable, helpers, packed_rows: Path, family: str, layout: str
):
    assert_packed_rows_train_alike(plan_of, helpers, packed_rows, family, layout)


def test_replicas_that_share_the_optimizers_states_keep_half_of_them_each(after_twenty: Callable):
    plan = after_twenty("llama", "ZeRO dp2")
    directory = step_directory(checkpoints_of(plan), 1)
    for rank in range(2):
        tensors = read_tensors(directory / f"rank_{rank}" / f"checkpoint_{rank}.ckpt")
        states = [name for name in tensors if name.startswith(("adam_m.", "adam_v."))]
        assert len(states) == 2 * (len(tensors) - len(states)) > 0
        for name in states:
            assert 2 * tensors[name].size == tensors[name.partition(".")[2]].size


RESUMED = [("ZeRO dp2", "alone"), ("tp2 pp2", "alone")]
ALL_RESUMED = [("dp2", "tp2"), ("tp2", "dp2"), ("dp2 tp2", "pp2"), ("pp2", "ZeRO dp2"), ("alone", "dp2 pp2")]


def resumed_elsewhere(
    plan_of: Callable,
    after_twenty: Callable,
    every_step: dict,
    helpers,
    family: str,
    before: str,
    after: str,
) -> list[dict]:
    """Go on at another layout from where a job was after ten of its twenty steps; return its numbers."""
    source = step_directory(checkpoints_of(after_twenty(family, before)), 10)
    plan = plan_of(f"{family} {before} to {after}", after, family, **every_step)
    adopted = adopt(source, plan)
    assert adopted is not None
    assert (adopted.step, adopted.layout) == (10, LAYOUTS[before][0])
    if plan.layout.world_size > 1:
        helpers.run_ranks(plan, until=20)
    else:
        Job(plan, 0, silent).run(20)
    return helpers.metrics(plan)


@pytest.mark.parametrize(("before", "after"), RESUMED)
def test_a_job_goes_on_at_another_layout(
    plan_of: Callable, after_twenty: Callable, every_step: dict, helpers, before: str, after: str
):
    found = resumed_elsewhere(plan_of, after_twenty, every_step, helpers, "llama", before, after)
    assert_same_numbers(helpers.metrics(after_twenty("llama", "alone")), found)


@pytest.mark.long
@pytest.mark.parametrize("family", NAMES)
@pytest.mark.parametrize(("before", "after"), ALL_RESUMED)
def test_jobs_go_on_between_any_two_layouts(
    plan_of: Callable, after_twenty: Callable, every_step: dict, helpers, family: str, before: str, after: str
):
    found = resumed_elsewhere(plan_of, after_twenty, every_step, helpers, family, before, after)
    assert_same_numbers(helpers.metrics(after_twenty(family, "alone")), found)


@pytest.mark.long
@pytest.mark.parametrize("layout", list(LAYOUTS)[1:])
def test_stopped_ranks_go_on_and_end_with_the_bytes_of_undisturbed_ones(
    plan_of: Callable, helpers, layout: str
):
    plan = plan_of(f"stopped {layout}", layout)
    undisturbed = plan.model_copy(update={"output": plan.output + " not"})
    helpers.run_ranks(undisturbed)
    helpers.run_ranks(plan, until=7)
    helpers.run_ranks(plan)
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed)


@pytest.mark.long
@pytest.mark.parametrize("layout", ["dp2", "tp2", "pp2", "ZeRO dp2"])
def test_killed_ranks_go_on_and_end_with_the_bytes_of_undisturbed_ones(
    plan_of: Callable, helpers, layout: str
):
    plan = plan_of(f"killed {layout}", layout, steps=60)
    undisturbed = plan.model_copy(update={"output": plan.output + " not"})
    helpers.run_ranks(undisturbed)
    helpers.kill_ranks_at(plan, 12)
    helpers.run_ranks(plan)
    log = (Path(plan.output) / "logs" / "worker_1.log").read_text()
    assert "resumed from the checkpoint of step" in log
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed)
