"""How a GPTBigCode model is cut: the axis model_parallel takes of each parameter and the stage it lives in.

The query projection (dense1, stored [out, in]) is cut by heads; the single key and value head (dense2,
dense3) is whole on every rank. The other weights are stored [in, out]: `mapping` is cut by columns,
the two projections back to the residual stream by rows, their biases whole.
"""

from __future__ import annotations

from modelcore.models.gpt_bigcode.config import GPTBigCodeConfig
from modelcore.parallel.memory import LayerWidths
from modelcore.parallel.partition import Rule

__all__ = ["RULES", "counts", "layer_widths"]

RULES: dict[str, Rule] = {
    "backbone.embedding.word_embedding.embedding_table": Rule(axis=0, place="first", vocabulary=True),
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


def counts(config: GPTBigCodeConfig) -> dict[str, int]:
    """Return what must divide by model_parallel, by its key in config.json."""
    return {"n_head": config.num_heads, "n_inner": config.intermediate_size}


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
