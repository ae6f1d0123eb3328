from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest

from modelcore.models.llama.config import LlamaConfig
from modelcore.models.llama.family import LLAMA
from modelcore.models.model import Model
from modelcore.parallel.memory import Inference, Training, inference_memory, training_memory, what_fits
from modelcore.parallel.mesh import Layout
from tests.families import NAMES, small_model

GIB = 1 << 30
CODELLAMA_34B = Model(
    LLAMA,
    LlamaConfig(
        vocab_size=32000,
        hidden_size=8192,
        intermediate_size=22016,
        num_layers=48,
        num_heads=64,
        num_kv_heads=8,
        max_positions=16384,
        norm_eps=1e-5,
    ),
)
SMALL = Model(
    LLAMA,
    LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=96,
        num_layers=4,
        num_heads=4,
        num_kv_heads=2,
        max_positions=128,
        norm_eps=1e-5,
    ),
)
WIDTHS = SMALL.layer_widths()
ROTATIONS = 4 * 16 * 8 * 8
"""Bytes of the constant that rotates queries and keys of 16 positions."""
JOB = Training(batch_size=2, seq_length=16, compute_bytes=4)
PARAMETERS = 4 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 96 * 32 + 2 * 32) + 2 * 64 * 32 + 32


def test_weights_gradients_and_states_are_those_of_the_slices() -> None:
    need = training_memory(SMALL.partition(Layout()), 0, WIDTHS, JOB)
    assert (need.weights, need.gradients, need.optimizer) == (4 * PARAMETERS, 4 * PARAMETERS, 8 * PARAMETERS)
    assert need.total == 16 * PARAMETERS + need.activations


@pytest.mark.parametrize("layout", [Layout(), Layout(model_parallel=2), Layout(pipeline_stage=2)], ids=str)
@pytest.mark.parametrize("family", NAMES)
def test_the_weights_of_all_ranks_are_the_model_and_what_they_hold_in_common(
    family: str, layout: Layout
) -> None:
    model = small_model(family, tied=False)
    cut, widths = model.partition(layout), model.layer_widths()
    held = [training_memory(cut, rank, widths, JOB).weights for rank in range(layout.world_size)]
    again = [
        math.prod(placement.shape)
        for placement in cut.placements.values()
        if placement.axis is None and layout.model_parallel > 1
    ]
    elements = sum(math.prod(shape) for shape in model.config.parameter_shapes().values())
    assert sum(held) == 4 * (elements + sum(again))


def test_sharded_states_are_divided_among_the_replicas_and_nothing_else_is() -> None:
    cut = SMALL.partition(Layout(data_parallel=4))
    plain = training_memory(cut, 0, WIDTHS, JOB)
    zero = training_memory(cut, 0, WIDTHS, replace(JOB, shard_optimizer=True))
    assert zero == replace(plain, optimizer=plain.optimizer // 4)


def test_what_a_layer_keeps_counted_by_hand() -> None:
    need = training_memory(SMALL.partition(Layout()), 0, WIDTHS, JOB)
    norms, attention, inner, logits = 4 * 32, 32 + 16 + 16 + 32, 4 * 96, 2 * 64
    assert need.activations - ROTATIONS == 4 * 2 * 16 * (4 * (norms + attention + inner) + logits)
    recomputed = training_memory(
        SMALL.partition(Layout()), 0, WIDTHS, Training(2, 16, recompute=True, compute_bytes=4)
    )
    assert recomputed.activations - ROTATIONS == 4 * 2 * 16 * (4 * 32 + (norms + attention + inner) + logits)


def test_a_stage_keeps_what_came_in_of_as_many_micro_batches_as_there_are_stages_after_it() -> None:
    cut = SMALL.partition(Layout(pipeline_stage=4))
    one, many = Training(2, 16, micro_batches=1), Training(2, 16, micro_batches=8)
    hidden = 2 * 16 * 32 * 2
    more = [
        training_memory(cut, rank, WIDTHS, many).activations
        - training_memory(cut, rank, WIDTHS, one).activations
        for rank in range(4)
    ]
    assert more == [0, 2 * hidden, hidden, 0]  # the first stage keeps ids, the last does both passes at once


def test_generation_needs_weights_and_keys_and_values() -> None:
    need = inference_memory(SMALL.partition(Layout(model_parallel=2)), 1, WIDTHS, Inference(3, 10))
    assert need.cache == 2 * 4 * 3 * 10 * 8 * 2
    assert need.total == need.weights + need.cache


@pytest.mark.parametrize(
    ("layout", "job", "fits"),
    [
        (Layout(1, 8, 2), Training(1, 2048, 128, recompute=True), True),
        (Layout(1, 8, 1), Training(1, 2048, 128, recompute=True), False),
    ],
    ids=str,
)
def test_codellama_34b_trains_on_16_devices_of_64_gib_and_not_on_8(
    layout: Layout, job: Training, fits: bool
) -> None:
    cut = CODELLAMA_34B.partition(layout)
    widths = CODELLAMA_34B.layer_widths()
    fullest = max(training_memory(cut, rank, widths, job).total for rank in range(layout.world_size))
    assert (fullest < 64 * GIB) is fits


def test_every_layout_of_a_world_is_tried_and_the_impossible_are_explained() -> None:
    job = Training(1, 2048, 128, recompute=True)
    need = partial(training_memory, widths=CODELLAMA_34B.layer_widths(), job=job)
    found = what_fits(16, 64 * GIB, CODELLAMA_34B.partition, lambda cut, rank: need(cut, rank))
    assert {fit.layout.world_size for fit in found} == {16} and len(found) == 15
    assert found[0].fits and found[0].memory is not None
    impossible = {fit.layout: fit.reason for fit in found if fit.memory is None}
    assert "num_key_value_heads 8" in impossible[Layout(1, 16, 1)]
    assert not next(fit for fit in found if fit.layout == Layout(16, 1, 1)).fits
