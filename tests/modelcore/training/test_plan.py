from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.training.plan import TrainPlan

PLAN = TrainPlan(
    model="m", data="d", output="o", steps=10, batch_size=2, layout=Layout(2, 2), offsets=(1, -1)
)


def test_a_plan_read_back_is_the_same(tmp_path: Path):
    PLAN.write(tmp_path / "plan.json")
    assert TrainPlan.read(tmp_path / "plan.json") == PLAN


def test_the_global_batch_counts_replicas_and_micro_batches():
    assert (
        TrainPlan("m", "d", "o", steps=1, batch_size=2, accumulate=3, layout=Layout(4, 2)).global_batch == 24
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"learning_rte": 1}, "unknown key 'learning_rte'"),
        ({"steps": "10"}, "steps is '10', not int"),
        ({"steps": True}, "steps is True, not int"),
        ({"steps": 0}, "steps: 0 is not at least 1"),
        ({"beta1": 1.0}, "beta1: 1.0 is not from 0 to below 1"),
        ({"precision": "int8"}, "precision: 'int8' is not fp32, bf16 or fp16"),
        ({"learning_rate": float("nan")}, "learning_rate: nan is not above 0"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, change: dict, complaint: str):
    path = tmp_path / "plan.json"
    path.write_text(
        json.dumps({"model": "m", "data": "d", "output": "o", "steps": 1, "batch_size": 1, **change})
    )
    with pytest.raises(MindrailError, match=complaint.replace("'", ".")):
        TrainPlan.read(path)


def test_what_is_missing_is_named(tmp_path: Path):
    (tmp_path / "plan.json").write_text('{"model": "m", "steps": 3, "output": "o"}')
    with pytest.raises(MindrailError, match="has no batch_size, data"):
        TrainPlan.read(tmp_path / "plan.json")
