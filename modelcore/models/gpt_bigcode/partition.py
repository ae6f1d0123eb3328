"""How a GPTBigCode model is cut: the axis model_parallel takes of each parameter and the stage it lives in.

The query projection (dense1, stored [out, in]) is cut by heads; the single key and value head (dense2,
dense3) is whole on every rank. The other weights are stored [in, out]: `mapping` is cut by columns,
the two projections back to the residual stream by rows, their biases whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modelcore.models.gpt_bigcode.config import GPTBigCodeConfig
from modelcore.parallel.memory import LayerWidths
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Partition, Rule, partition_model

__all__ = ["RULES", "layer_widths", "partition"]

_EMBEDDING = "backbone.embedding.word_embedding.embedding_table"

RULES: dict[str, Rule] = {
    _EMBEDDING: Rule(axis=0, place="first", vocabulary=True),
    "backbone.embedding.position_embedding.embedding_table": Rule(place="first"),
    "backbone.blocks.{}.layernorm1.gamma": Rule(),
    "backbone.blocks.{}.layernorm1.beta": Rule(),
    "backbone.blocks.{}.attention.dense1.weight": Rule(axis=0, counts="n_head"),
    "backbone.blocks.{}.attention.dense1.bias": Rule(axis=0, counts="n_head"),
    "backbone.blocks.{}.attention.dense2.weight": Rule(),
    "backbone.blocks.{}.attention.dense2.bias": Rule(),
    "backbone.blocks.{}.attention.dense3.weight": Rule(),
    "backbone.blocks.{}.attention.dense3.bias": Rule(),
    "backbone.blocks.{}.attention.projection.weight": Rule(axis=0, counts="n_head"),
    "backbone.blocks.{}.attention.projection.bias": Rule(),
    "backbone.blocks.{}.layernorm2.gamma": Rule(),
    "backbone.blocks.{}.layernorm2.beta": Rule(),
    "backbone.blocks.{}.output.mapping.weight": Rule(axis=1, counts="n_inner"),
    "backbone.blocks.{}.output.mapping.bias": Rule(axis=0, counts="n_inner"),
    "backbone.blocks.{}.output.projection.weight": Rule(axis=0, counts="n_inner"),
    "backbone.blocks.{}.output.projection.bias": Rule(),
    "backbone.layernorm.gamma": Rule(place="last"),
    "backbone.layernorm.beta": Rule(place="last"),
    "head.head_weight": Rule(axis=0, place="last", vocabulary=True),
}


def partition(
    config: GPTBigCodeConfig, layout: Layout, *, vocab_emb_dp: bool = False, offsets: Sequence[int] = ()
) -> Partition:
    """Return what each rank of `layout` holds of the model.

    Raises:
        MindrailError: heads, inner size or layers do not divide; the config.json key is named.
    """
    rules = RULES
    if config.tie_embeddings:
        rules = {**RULES, _EMBEDDING: replace(RULES[_EMBEDDING], place="ends")}
    return partition_model(
        config.parameter_shapes(),
        rules,
        {"n_head": config.num_heads, "n_inner": config.intermediate_size},
        layout,
        num_layers=config.num_layers,
        vocab_emb_dp=vocab_emb_dp,
        offsets=offsets,
    )


def layer_widths(config: GPTBigCodeConfig) -> LayerWidths:
    """Return what a token costs in memory in one layer; the feed-forward keeps gelu's input and output."""
    return LayerWidths(
        hidden=config.hidden_size,
        heads=config.num_heads,
        key_value=config.head_dim,
        key_value_cut=False,
        inner=config.intermediate_size,
        inner_kept=3,
        vocabulary=config.vocab_size,
    )
