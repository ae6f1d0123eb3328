"""A network cut among tensor-parallel ranks, or into pipeline stages, gives the whole network's numbers."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import mindspore
import numpy as np
import pytest
from mindspore import Tensor

from modelcore.launching.gang import run_gang
from modelcore.models.families import model_from_config
from modelcore.models.loss import NextTokenLoss
from modelcore.models.network import NetworkPart
from tests.paths import ROOT

from . import one_step

step_of_one = functools.cache(one_step.step)


@pytest.mark.ranks
def test_two_tensor_parallel_ranks_give_the_loss_and_gradients_of_one(tmp_path: Path) -> None:
    assert_parity_of_two_ranks(["llama", "gpt_bigcode, 51 rows do not divide"], tmp_path)


@pytest.mark.long
@pytest.mark.ranks
def test_two_tensor_parallel_ranks_of_every_case_give_the_loss_and_gradients_of_one(tmp_path: Path) -> None:
    assert_parity_of_two_ranks(list(one_step.CASES), tmp_path)


def assert_parity_of_two_ranks(cases: list[str], tmp_path: Path) -> None:
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    program = [sys.executable, str(Path(one_step.__file__)), str(tmp_path), *cases]
    run_gang(program, world_size=2, log_dir=tmp_path / "logs", environment={"PYTHONPATH": str(ROOT)})
    for case in cases:
        raw, vocab_emb_dp = one_step.CASES[case]
        whole, model = step_of_one(case), model_from_config(raw, case)
        for rank in range(2):
            part = np.load(tmp_path / f"{case}_{rank}.npz")
            assert float(part["loss"]) == pytest.approx(float(whole["loss"]), rel=1e-5)
            mine = one_step.boxes(model, 2, rank, vocab_emb_dp)
            assert set(part) == {"loss", *mine}
            for name, box in mine.items():
                expected = one_step.cut(whole[name], box)
                largest = max(np.abs(whole[name]).max(), 1)
                assert np.abs(part[name] - expected).max() < 1e-5 * largest, (case, name)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.long if case.startswith("qwen2") else ())
        for case in one_step.CASES
    ],
)
def test_pipeline_stages_compose_to_the_whole_network(case: str) -> None:
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    model = model_from_config(one_step.CASES[case][0], case)
    parts = (NetworkPart(layers=range(1), last=False), NetworkPart(layers=range(1, 2), first=False))
    stages = [model.family.network(model.config, part) for part in parts]
    weights = one_step.weights(model)
    for stage in stages:
        for parameter in stage.get_parameters():
            parameter.set_data(Tensor(weights[parameter.name]))
    ids, labels = one_step.batch()
    total, _ = NextTokenLoss(stages[1])(stages[0](Tensor(ids)), Tensor(labels))
    assert float(total.asnumpy()) == pytest.approx(float(step_of_one(case)["loss"]), rel=1e-6)
    first, last = ({parameter.name for parameter in stage.get_parameters()} for stage in stages)
    assert first | last == set(weights)
    embedding = model.family.names.tied_mindspore[0]
    assert first & last == ({embedding} if model.config.tie_embeddings else set())
