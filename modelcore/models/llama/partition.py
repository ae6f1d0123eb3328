"""How a llama model is cut: the axis model_parallel takes of each parameter and the stage it lives in.

Weights are stored [out, in]. Projections into heads and the feed-forward are cut by output rows, those
back to the residual stream by input columns, so that one sum per block joins them (Megatron-LM, Shoeybi
et al. 2019). A head is never cut: it is the heads that must divide.
"""

from __future__ import annotations

from modelcore.models.llama.config import LlamaConfig
from modelcore.parallel.memory import LayerWidths
from modelcore.parallel.partition import Rule

__all__ = ["RULES", "counts", "layer_widths"]

RULES: dict[str, Rule] = {
    "model.tok_embeddings.embedding_weight": Rule(axis=0, place="first", vocabulary=True),
    "model.layers.{}.attention_norm.weight": Rule(),
    "model.layers.{}.attention.wq.weight": Rule(axis=0, counts="num_attention_heads"),
    "model.layers.{}.attention.wk.weight": Rule(axis=0, counts="num_key_value_heads"),
    "model.layers.{}.attention.wv.weight": Rule(axis=0, counts="num_key_value_heads"),
    "model.layers.{}.attention.wo.weight": Rule(axis=1, counts="num_attention_heads"),
    "model.layers.{}.ffn_norm.weight": Rule(),
    "model.layers.{}.feed_forward.w1.weight": Rule(axis=0, counts="intermediate_size"),
    "model.layers.{}.feed_forward.w2.weight": Rule(axis=1, counts="intermediate_size"),
    "model.layers.{}.feed_forward.w3.weight": Rule(axis=0, counts="intermediate_size"),
    "model.norm_out.weight": Rule(place="last"),
    "lm_head.weight": Rule(axis=0, place="last", vocabulary=True),
}


def counts(config: LlamaConfig) -> dict[str, int]:
    """Return what must divide by model_parallel, by its key in config.json."""
    return {
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "intermediate_size": config.intermediate_size,
    }


def layer_widths(config: LlamaConfig) -> LayerWidths:
    """Return what a token costs in memory in one layer; the gated feed-forward keeps three inner tensors."""
    return LayerWidths(
        hidden=config.hidden_size,
        heads=config.num_heads,
        key_value=config.num_kv_heads * config.head_dim,
        key_value_cut=True,
        inner=config.intermediate_size,
        inner_kept=4,
        vocabulary=config.vocab_size,
        rotation=config.head_dim**2,
    )
