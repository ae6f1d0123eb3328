"""The loss of rows that are not trained on is the same at every layout, and on every rank."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelcore.launching.gang import run_gang
from modelcore.parallel.mesh import Layout
from modelcore.training.plan import TrainPlan
from tests.families import NAMES

pytestmark = [pytest.mark.ranks, pytest.mark.long]

PROGRAM = str(Path(__file__).with_name("evaluating_program.py"))


def evaluated(plan: TrainPlan) -> list[list[list[float]]]:
    """Return what each rank found: (loss, tokens) of two steps."""
    output = Path(plan.output)
    output.mkdir()
    path = output.with_suffix(".json")
    plan.write(path)
    ranks = plan.layout.world_size
    run_gang([sys.executable, PROGRAM, str(path)], world_size=ranks, log_dir=output / "logs")
    return [json.loads((output / f"evaluated_{rank}.json").read_text()) for rank in range(ranks)]


@pytest.mark.parametrize("family", NAMES)
def test_every_rank_of_every_layout_judges_alike(make_plan: Callable, helpers, family: str):
    raw = helpers.family(family)
    (alone,) = evaluated(make_plan(f"{family} judged alone", family=raw))
    for layout in (Layout(pipeline_stage=2), Layout(data_parallel=2)):
        parts = {"batch_size": 2, "accumulate": 4 // layout.data_parallel}
        ranks = evaluated(make_plan(f"{family} judged {layout}", layout, family=raw, **parts))
        assert len(ranks) == len(alone) == 2  # ranks of the layout, steps of each
        for found in ranks:
            for (loss, tokens), (expected, count) in zip(found, alone, strict=True):
                assert tokens == count > 0
                assert loss == pytest.approx(expected, rel=1e-5)
