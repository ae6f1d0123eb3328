"""How a Qwen2 model is cut: as llama, and each bias by the heads whose outputs it is added to."""

from __future__ import annotations

from modelcore.models.llama.partition import RULES as LLAMA_RULES
from modelcore.models.llama.partition import counts, layer_widths
from modelcore.parallel.partition import Rule

__all__ = ["RULES", "counts", "layer_widths"]

RULES: dict[str, Rule] = {
    **LLAMA_RULES,
    "model.layers.{}.attention.wq.bias": Rule(axis=0, counts="num_attention_heads"),
    "model.layers.{}.attention.wk.bias": Rule(axis=0, counts="num_key_value_heads"),
    "model.layers.{}.attention.wv.bias": Rule(axis=0, counts="num_key_value_heads"),
}
