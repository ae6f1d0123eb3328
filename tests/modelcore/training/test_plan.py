from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.training.plan import TrainPlan

PLAN = TrainPlan(
    model="m", data="d", output="o", seed=1, steps=10, batch_size=2, layout=Layout(2, 2), offsets=(1, -1)
)


def test_a_plan_read_back_is_the_same(tmp_path: Path):
    PLAN.write(tmp_path / "plan.json")
    assert TrainPlan.read(tmp_path / "plan.json") == PLAN


def test_the_global_batch_counts_replicas_and_micro_batches():
    assert PLAN.model_copy(update={"accumulate": 3, "layout": Layout(4, 2)}).global_batch == 24


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"learning_rte": 1}, "learning_rte: unknown key; did you mean learning_rate?"),
        ({"steps": "10"}, 'steps: input should be a valid integer, not "10"'),
        ({"steps": True}, "steps: input should be a valid integer, not true"),
        ({"steps": 0}, "steps: input should be greater than or equal to 1, not 0"),
        ({"beta1": 1.0}, "beta1: input should be less than 1, not 1.0"),
        ({"precision": "int8"}, "precision: input should be 'fp32', 'bf16' or 'fp16'"),
        ({"learning_rate": float("nan")}, "learning_rate: input should be a finite number"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, change: dict, complaint: str):
    path = tmp_path / "plan.json"
    plain = {"model": "m", "data": "d", "output": "o", "seed": 1, "steps": 1}
    path.write_text(json.dumps(plain | change))
    with pytest.raises(MindrailError) as caught:
        TrainPlan.read(path)
    assert f"{path}: {complaint}" in str(caught.value)


def test_what_is_missing_is_named(tmp_path: Path):
    (tmp_path / "plan.json").write_text('{"model": "m", "steps": 3, "output": "o", "seed": 1}')
    with pytest.raises(MindrailError, match=r"data: this key is required; add it"):
        TrainPlan.read(tmp_path / "plan.json")
