"""The names of llama's tensors at Hugging Face and in MindFormers, and in Meta's own checkpoints."""

from __future__ import annotations

from modelcore.weights.name_table import NameTable, Rename

__all__ = ["NAMES", "SCALES", "TO_RESIDUAL"]

NAMES = NameTable(
    rows=(
        Rename("model.embed_tokens.weight", "model.tok_embeddings.embedding_weight"),
        Rename("model.layers.{}.input_layernorm.weight", "model.layers.{}.attention_norm.weight"),
        Rename("model.layers.{}.self_attn.q_proj.weight", "model.layers.{}.attention.wq.weight"),
        Rename("model.layers.{}.self_attn.k_proj.weight", "model.layers.{}.attention.wk.weight"),
        Rename("model.layers.{}.self_attn.v_proj.weight", "model.layers.{}.attention.wv.weight"),
        Rename("model.layers.{}.self_attn.o_proj.weight", "model.layers.{}.attention.wo.weight"),
        Rename("model.layers.{}.post_attention_layernorm.weight", "model.layers.{}.ffn_norm.weight"),
        Rename("model.layers.{}.mlp.gate_proj.weight", "model.layers.{}.feed_forward.w1.weight"),
        Rename("model.layers.{}.mlp.down_proj.weight", "model.layers.{}.feed_forward.w2.weight"),
        Rename("model.layers.{}.mlp.up_proj.weight", "model.layers.{}.feed_forward.w3.weight"),
        Rename("model.norm.weight", "model.norm_out.weight"),
        Rename("lm_head.weight", "lm_head.weight"),
    ),
    # Old exports store the rotary frequencies, which follow from rope_theta.
    buffers=("model.layers.{}.self_attn.rotary_emb.inv_freq",),
    tied=("model.embed_tokens.weight", "lm_head.weight"),
    tied_mindspore=("model.tok_embeddings.embedding_weight", "lm_head.weight"),
)

SCALES = ("norm.weight", "norm_out.weight")
"""Endings of the names of the norms' factors."""

TO_RESIDUAL = ("wo.weight", "w2.weight")
"""Endings of the names of the matrices that add to the residual stream."""
