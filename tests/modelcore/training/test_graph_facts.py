"""A second job of the same graphs compiles nothing and has the same result; another one does not use them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from modelcore.models.families import read_model
from modelcore.parallel.mesh import Layout
from modelcore.training.graph_facts import facts_of_graphs
from modelcore.training.rows import read_rows

CHANGES_GRAPHS = {
    "batch_size": 3,
    "accumulate": 2,
    "beta1": 0.8,
    "beta2": 0.8,
    "precision": "fp16",
    "layout": Layout(2),
    "vocab_emb_dp": True,
    "offsets": (0,),
    "shard_optimizer": True,
    "recompute": True,
}


def test_every_key_of_a_plan_either_names_other_graphs_or_is_known_not_to(make_plan: Callable) -> None:
    plan = make_plan("facts")
    model, rows = read_model(Path(plan.model)), read_rows(Path(plan.data), 64)

    def facts(changes: dict, rank: int = 0) -> object:
        return facts_of_graphs(plan.model_copy(update=changes), model, rank, rows)

    for key, value in CHANGES_GRAPHS.items():
        assert facts({key: value}) != facts({}), key
    assert facts({"seed": 2, "steps": 90, "learning_rate": 0.5, "output": "elsewhere"}) == facts({})
    assert facts({}, rank=1) != facts({})
    packed = SimpleNamespace(width=rows.width, columns=("input_ids", "labels", "segments"))
    assert facts_of_graphs(plan, model, 0, packed) != facts({})  # type: ignore[arg-type]


@pytest.mark.long
@pytest.mark.parametrize("layout", [Layout(), Layout(2), Layout(1, 2), Layout(1, 1, 2)], ids=str)
def test_a_second_job_finds_its_graphs_and_has_the_same_result(
    layout: Layout, make_plan: Callable, helpers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINDRAIL_CACHE", str(tmp_path))
    results = []
    for name in ("compiles", "finds"):
        plan = make_plan(f"{name} {layout}", layout, steps=4)
        helpers.run_ranks(plan)
        results.append([row["loss"] for row in helpers.metrics(plan)])
        graphs = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mindir")}
        if name == "compiles":
            kept = graphs
    assert len(kept) >= 3 * layout.world_size and graphs == kept
    assert results[0] == results[1]
