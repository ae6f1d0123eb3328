"""The families' tables on the layouts of the model cards: shapes follow without weights or devices."""

from __future__ import annotations

import math

import pytest

from modelcore.errors import MindrailError
from modelcore.models.families import model_from_config
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Partition
from tests.families import NAMES, small, small_model

CODELLAMA_34B = {
    "model_type": "llama",
    "vocab_size": 32000,
    "hidden_size": 8192,
    "intermediate_size": 22016,
    "num_hidden_layers": 48,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
}
DEEPSEEK_7B = {
    "model_type": "llama",
    "vocab_size": 102400,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 30,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
}
WIZARDCODER_15B = {
    "model_type": "gpt_bigcode",
    "vocab_size": 49153,
    "n_embd": 6144,
    "n_inner": 24576,
    "n_layer": 40,
    "n_head": 48,
    "n_positions": 8192,
}
CARDS = [
    (WIZARDCODER_15B, Layout(1, 4, 2)),
    (CODELLAMA_34B, Layout(1, 8, 2)),
    (CODELLAMA_34B, Layout(4, 4, 2)),
    (CODELLAMA_34B, Layout(1, 2, 1)),
    (CODELLAMA_34B, Layout(1, 8, 1)),
    (DEEPSEEK_7B, Layout(1, 4, 2)),
    (DEEPSEEK_7B, Layout(8, 1, 1)),
]


def partition(raw: dict[str, object], layout: Layout) -> Partition:
    return model_from_config(raw, "config.json").partition(layout)


@pytest.mark.parametrize(("raw", "layout"), CARDS, ids=[f"{raw['model_type']} {lay}" for raw, lay in CARDS])
def test_the_ranks_of_a_card_hold_the_whole_model_evenly(raw: dict[str, object], layout: Layout) -> None:
    cut = partition(raw, layout)
    held: dict[str, int] = dict.fromkeys(cut.placements, 0)
    for rank in range(layout.world_size):
        for name, shape in cut.shapes(rank).items():
            held[name] += math.prod(shape)
    for name, placement in cut.placements.items():
        copies = layout.data_parallel * len(placement.stages)
        copies *= layout.model_parallel if placement.axis is None else 1
        assert held[name] == copies * math.prod(placement.shape), name
    assert all(len(layers) == cut.layers[0].stop for layers in cut.layers)


def test_codellama_34b_on_16_ranks() -> None:
    shapes = partition(CODELLAMA_34B, Layout(1, 8, 2)).shapes(3)
    assert shapes["model.tok_embeddings.embedding_weight"] == (4000, 8192)
    assert shapes["model.layers.0.attention.wk.weight"] == (128, 8192)
    assert shapes["model.layers.23.feed_forward.w2.weight"] == (8192, 2752)
    assert "model.layers.24.attention.wq.weight" not in shapes and "lm_head.weight" not in shapes
    assert partition(CODELLAMA_34B, Layout(1, 8, 2)).shapes(11)["lm_head.weight"] == (4000, 8192)


def test_wizardcoder_15b_keeps_its_49153_rows_whole_with_a_note_and_its_table_at_both_ends() -> None:
    cut = partition(WIZARDCODER_15B, Layout(1, 4, 2))
    table = "backbone.embedding.word_embedding.embedding_table"
    assert cut.notes == (f"{table}: 49153 rows kept whole on every rank (no multiple of model_parallel 4)",)
    assert cut.shapes(0)[table] == cut.shapes(7)[table] == (49153, 6144)
    assert cut.shapes(0)["backbone.blocks.0.attention.dense1.bias"] == (1536,)
    assert cut.shapes(0)["backbone.blocks.0.attention.dense2.weight"] == (128, 6144)
    assert cut.shapes(0)["backbone.blocks.0.output.mapping.weight"] == (6144, 6144)
    assert cut.shapes(0)["backbone.blocks.0.output.projection.weight"] == (6144, 6144)


@pytest.mark.parametrize(
    ("raw", "layout", "message"),
    [
        (CODELLAMA_34B, Layout(1, 16, 1), r"num_key_value_heads 8 of config\.json does not divide by .* 16"),
        (
            WIZARDCODER_15B,
            Layout(1, 32, 1),
            r"n_head 48 of config\.json does not divide by .* 32",
        ),
        (DEEPSEEK_7B, Layout(1, 1, 4), r"30 layers do not divide into 4 stages"),
    ],
)
def test_what_cannot_divide_is_refused_by_its_key(
    raw: dict[str, object], layout: Layout, message: str
) -> None:
    with pytest.raises(MindrailError, match=message):
        partition(raw, layout)


@pytest.mark.parametrize("family", NAMES)
def test_the_table_has_a_rule_for_every_parameter_and_no_other(family: str) -> None:
    model = small_model(family, tied=False)
    names = [name.split(".") for name in model.config.parameter_shapes()]
    forms = {".".join("{}" if part.isdigit() else part for part in name) for name in names}
    assert forms == set(model.family.rules)


@pytest.mark.parametrize("family", NAMES)
def test_what_the_rules_count_is_in_the_config_json_under_that_key(family: str) -> None:
    model = small_model(family)
    counted = {rule.counts for rule in model.family.rules.values() if rule.counts}
    assert set(model.family.counts(model.config)) == counted <= set(small(family))
