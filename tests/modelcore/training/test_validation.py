"""The validation loss is the mean over all tokens of all rows held back, at any layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import mindspore
import numpy as np
import pytest
from mindspore import Tensor

from modelcore.checkpoints.shards import rank_file
from modelcore.data.mindrecord.file import read_mindrecord
from modelcore.errors import MindrailError
from modelcore.models.fill import fill
from modelcore.parallel.groups import create_groups
from modelcore.parallel.mesh import Layout, Mesh
from modelcore.progress import silent
from modelcore.training.gradients import MicroBatch
from modelcore.training.network import build_network
from modelcore.training.plan import TrainPlan
from modelcore.training.validation import Validation
from modelcore.weights.checkpoint import open_file
from tests.modelcore.training.conftest import VOCABULARY, write_rows

ROWS = 11  # no multiple of the 8 rows of a step


@pytest.fixture(scope="module")
def held_back(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("held_back") / "rows.validation.mindrecord"
    write_rows(path, ROWS)
    return path


@pytest.fixture(scope="module")
def alone(make_plan: Callable, held_back: Path, helpers) -> TrainPlan:
    plan = make_plan("validated", steps=5, checkpoint_every=2, validation=str(held_back), validate_every=2)
    helpers.run_ranks(plan)
    return plan


def held_out(plan: TrainPlan, helpers) -> dict[int, float]:
    """Return the validation losses of a finished job by step."""
    metrics = helpers.metrics(plan)
    return {row["step"]: row["validation_loss"] for row in metrics if "validation_loss" in row}


def timings(plan: TrainPlan) -> list[dict]:
    return [json.loads(line) for line in (Path(plan.output) / "logs/timings.jsonl").read_text().splitlines()]


def loss_by_hand(plan: TrainPlan, rows: Path) -> float:
    """Return the mean over the tokens of all rows, one row at a time, with the weights the job left."""
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    cell = build_network(plan, create_groups(Mesh(plan.layout), 0)).cell
    source = rank_file(Path(plan.output), 0)
    fill({p.name: p for p in cell.trainable_params()}, open_file(source), source)
    losses = [
        [float(x) for x in cell(Tensor(row["input_ids"][None, :-1]), Tensor(row["labels"][None, 1:]))]
        for row in read_mindrecord(rows)
    ]
    loss_sum, tokens = np.sum(losses, axis=0)
    assert len(losses) == ROWS
    return float(loss_sum / tokens)


def test_it_is_the_mean_over_the_tokens_of_every_row(alone: TrainPlan, held_back: Path, helpers):
    found = held_out(alone, helpers)
    assert list(found) == [2, 4, 5]
    assert found[5] == pytest.approx(loss_by_hand(alone, held_back), rel=1e-6)


@pytest.mark.long
@pytest.mark.ranks
@pytest.mark.parametrize(
    ("layout", "cut"),
    [
        (Layout(data_parallel=2), {"batch_size": 4}),
        (Layout(pipeline_stage=2), {"batch_size": 2, "accumulate": 4}),
    ],
    ids=str,
)
def test_it_is_the_same_on_two_ranks_whose_memory_and_speed_are_told(
    alone: TrainPlan, make_plan: Callable, held_back: Path, helpers, layout: Layout, cut: dict
):
    asked = {"validation": str(held_back), "validate_every": 2, "peak_tflops": 0.5}
    plan = make_plan(f"validated {layout}", layout, steps=5, checkpoint_every=2, **asked, **cut)
    helpers.run_ranks(plan)
    expected = held_out(alone, helpers)
    found = held_out(plan, helpers)
    assert found == {step: pytest.approx(loss, rel=1e-5) for step, loss in expected.items()}
    told = timings(plan)
    flops = 6 * matrices_of_the_llama() + 12 * 2 * 32 * 16
    for row in told:
        assert row["mfu"] == pytest.approx(row["tokens_per_second"] * flops / (2 * 0.5e12))
    memory = {row["step"]: row["peak_memory_mib"] for row in told if "peak_memory_mib" in row}
    assert list(memory) == [2, 4, 5]
    assert all(len(ranks) == 2 and min(ranks) > 50 for ranks in memory.values())


def matrices_of_the_llama() -> int:
    """Return the elements of the small llama but for the embedding's: 2 layers, norms, head."""
    attention = 2 * 32 * 32 + 2 * 16 * 32
    return 2 * (attention + 3 * 32 * 48 + 2 * 32) + 32 + VOCABULARY * 32


def test_without_a_published_peak_no_share_of_it_is_told(alone: TrainPlan):
    rows = timings(alone)
    assert len(rows) == alone.steps and not any("mfu" in row for row in rows)


def test_without_rows_held_back_there_is_none(make_plan: Callable):
    plan = make_plan("not validated")
    assert Validation(plan, VOCABULARY, 0, judge_as_nan, silent).loss_after(plan.steps) is None


def test_a_loss_that_is_not_a_number_ends_the_run(make_plan: Callable, held_back: Path):
    plan = make_plan("judged nan", validation=str(held_back))
    with pytest.raises(MindrailError, match="the validation loss is nan after step 20"):
        Validation(plan, VOCABULARY, 0, judge_as_nan, silent).loss_after(20)


def judge_as_nan(batches: Sequence[MicroBatch]) -> tuple[float, int]:
    return float("nan"), 1
