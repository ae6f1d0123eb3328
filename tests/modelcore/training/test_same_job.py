"""Which plans a checkpoint is of: the same job, perhaps at another layout, and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.training.plan import TrainPlan
from modelcore.training.same_job import check_same_job, layout_in

WHERE = Path("checkpoints/step_7")


@pytest.fixture
def plan() -> TrainPlan:
    return TrainPlan(
        model="m",
        data="d",
        output="o",
        steps=10,
        batch_size=4,
        accumulate=3,
        seed=1,
        layout=Layout(data_parallel=2, pipeline_stage=2),
        offsets=(1, -1),
    )


def recorded(plan: TrainPlan) -> dict[str, Any]:
    """Return the plan as a checkpoint's state holds it: as JSON gives it back."""
    state: dict[str, Any] = json.loads(json.dumps(plan.as_plain()))
    return state


def changed(plan: TrainPlan, **changes: Any) -> TrainPlan:
    return plan.model_copy(update=changes)


def refusal(plan: TrainPlan, *, new_layout: bool = False, **changes: Any) -> str:
    with pytest.raises(MindrailError) as refused:
        check_same_job(recorded(plan), changed(plan, **changes), WHERE, new_layout=new_layout)
    return str(refused.value)


def test_the_layout_is_read_back(plan: TrainPlan) -> None:
    assert layout_in(recorded(plan)) == plan.layout


@pytest.mark.parametrize("new_layout", [False, True])
def test_the_same_plan_and_what_changes_no_result_are_accepted(plan: TrainPlan, new_layout: bool) -> None:
    free = {
        "model": "x",
        "data": "x",
        "output": "x",
        "checkpoint_every": 77,
        "keep": 77,
        "recompute": True,
        "validation": "x",
        "validate_every": 77,
        "peak_tflops": 7.5,
    }
    check_same_job(recorded(plan), plan, WHERE, new_layout=new_layout)
    for name, value in free.items():
        assert getattr(plan, name) != value
        check_same_job(recorded(plan), changed(plan, **{name: value}), WHERE, new_layout=new_layout)


@pytest.mark.parametrize("new_layout", [False, True])
def test_any_other_change_is_refused_by_name(plan: TrainPlan, new_layout: bool) -> None:
    fix = "choose another output directory, or the old value"
    assert refusal(plan, new_layout=new_layout, seed=2) == (
        f"{WHERE}: its checkpoints were made with seed 1, now it is 2; {fix}"
    )
    others: dict[str, Any] = {
        "steps": 11,
        "learning_rate": 0.5,
        "beta1": 0.5,
        "warmup_steps": 5,
        "precision": "bf16",
    }
    for name, value in others.items():
        assert f"made with {name} {getattr(plan, name)!r}, now it is {value!r};" in refusal(
            plan, new_layout=new_layout, **{name: value}
        )


OF_LAYOUT: dict[str, tuple[Any, str]] = {
    "offsets": ((), "offsets (1, -1), now it is ()"),
    "vocab_emb_dp": (True, "vocab_emb_dp False, now it is True"),
    "shard_optimizer": (True, "shard_optimizer False, now it is True"),
}


@pytest.mark.parametrize("name", OF_LAYOUT)
def test_what_belongs_to_a_layout_changes_with_it_only(plan: TrainPlan, name: str) -> None:
    value, line = OF_LAYOUT[name]
    assert f"made with {line};" in refusal(plan, **{name: value})
    check_same_job(recorded(plan), changed(plan, **{name: value}), WHERE, new_layout=True)


def test_another_layout_takes_as_many_rows_in_a_step(plan: TrainPlan) -> None:
    elsewhere = changed(plan, layout=Layout(model_parallel=4), batch_size=8)
    check_same_job(recorded(plan), elsewhere, WHERE, new_layout=True)
    assert "made with batch_size 4, now it is 8;" in refusal(plan, batch_size=8, accumulate=3)
    rows = "made with batch_size × accumulate × data_parallel 24, now it is"
    assert f"{rows} 12;" in refusal(plan, new_layout=True, layout=Layout())
    assert f"{rows} 32;" in refusal(plan, new_layout=True, accumulate=4)


def test_a_plan_of_an_earlier_version_lacks_new_keys(plan: TrainPlan) -> None:
    old = recorded(plan)
    del old["precision"]
    with pytest.raises(MindrailError, match="made with precision None, now it is 'fp32'"):
        check_same_job(old, plan, WHERE, new_layout=False)
    old = recorded(plan)
    del old["peak_tflops"]
    check_same_job(old, plan, WHERE, new_layout=False)


def test_a_checkpoint_from_before_a_key_existed_is_of_its_default(plan: TrainPlan) -> None:
    older = recorded(plan)
    del older["total_steps"]
    check_same_job(older, plan, WHERE, new_layout=False)
    with pytest.raises(MindrailError, match="made with total_steps -1, now it is 100"):
        check_same_job(older, changed(plan, total_steps=100), WHERE, new_layout=False)
