"""Every layout trains to the numbers of one process: real ranks, real collectives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from modelcore.parallel.mesh import Layout
from modelcore.progress import silent
from modelcore.training.job import Job
from modelcore.training.plan import TrainPlan

pytestmark = pytest.mark.ranks

FAMILIES = ("llama", "gpt_bigcode")
IN_FOUR = {"batch_size": 2, "accumulate": 4}
LAYOUTS: dict[str, tuple[Layout, dict[str, object]]] = {
    "dp2": (Layout(data_parallel=2), {}),
    "tp2": (Layout(model_parallel=2), {}),
    "pp2": (Layout(pipeline_stage=2), IN_FOUR),
    "dp2 tp2": (Layout(data_parallel=2, model_parallel=2), {}),
    "tp2 pp2": (Layout(model_parallel=2, pipeline_stage=2), IN_FOUR),
    "dp2 pp2": (Layout(data_parallel=2, pipeline_stage=2), {"batch_size": 2, "accumulate": 2}),
    "accumulation": (Layout(), IN_FOUR),
}


@pytest.fixture(scope="module")
def alone(make_plan: Callable, helpers) -> Callable[[str], list[dict]]:
    """The numbers of one process, by family, computed when first asked for."""
    known: dict[str, list[dict]] = {}

    def numbers(family: str) -> list[dict]:
        if family not in known:
            plan = make_plan(f"{family}_alone", family=helpers.family(family))
            Job(plan, 0, silent).run()
            known[family] = helpers.metrics(plan)
        return known[family]

    return numbers


def assert_same_numbers(one: list[dict], other: list[dict]) -> None:
    assert len(one) == len(other) == 20
    for a, b in zip(one, other, strict=True):
        assert a["tokens"] == b["tokens"]
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-5), f"step {a['step']}"
        assert b["global_norm"] == pytest.approx(a["global_norm"], rel=1e-4), f"step {a['step']}"


def trained(helpers, plan: TrainPlan) -> list[dict]:
    helpers.run_ranks(plan)
    return helpers.metrics(plan)


@pytest.fixture
def plan_of(make_plan: Callable, helpers) -> Callable[..., TrainPlan]:
    """Make the plan of a layout by its name."""

    def make(name: str, layout: str, family: str = "llama", **given: object) -> TrainPlan:
        ranks, choices = LAYOUTS[layout]
        return make_plan(name, ranks, family=helpers.family(family), **{**choices, **given})

    return make


@pytest.mark.parametrize("layout", ["pp2", "tp2 pp2"])
def test_a_pipeline_trains_to_the_numbers_of_one_process(plan_of: Callable, helpers, alone, layout: str):
    assert_same_numbers(alone("llama"), trained(helpers, plan_of(layout, layout)))


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_every_layout_trains_to_the_numbers_of_one_process(
    plan_of: Callable, helpers, alone, family: str, layout: str
):
    plan = plan_of(f"{family} {layout}", layout, family)
    assert_same_numbers(alone(family), trained(helpers, plan))


@pytest.mark.long
@pytest.mark.parametrize("layout", ["dp2", "tp2", "pp2"])
def test_killed_ranks_go_on_and_end_with_the_bytes_of_undisturbed_ones(
    plan_of: Callable, helpers, layout: str
):
    plan = plan_of(f"killed {layout}", layout, steps=60)
    undisturbed = replace(plan, output=plan.output + " not")
    helpers.run_ranks(undisturbed)
    helpers.kill_ranks_at(plan, 12)
    helpers.run_ranks(plan)
    log = (Path(plan.output) / "logs" / "worker_1.log").read_text()
    assert "resumed from the checkpoint of step" in log
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed)
