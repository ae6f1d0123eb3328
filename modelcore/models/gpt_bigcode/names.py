"""The names of GPTBigCode's tensors at Hugging Face and in MindFormers.

c_attn holds the rows of all query heads, then the one key head, then the one value head.
"""

from __future__ import annotations

from modelcore.weights.name_table import NameTable, Rename, Split, Transpose

__all__ = ["NAMES", "SCALES", "TO_RESIDUAL"]

_HF = "transformer.h.{}."
_BLOCK = "backbone.blocks.{}."
_QKV = tuple(f"{_BLOCK}attention.dense{part}." for part in (1, 2, 3))

NAMES = NameTable(
    rows=(
        Rename("transformer.wte.weight", "backbone.embedding.word_embedding.embedding_table"),
        Rename("transformer.wpe.weight", "backbone.embedding.position_embedding.embedding_table"),
        Rename(_HF + "ln_1.weight", _BLOCK + "layernorm1.gamma"),
        Rename(_HF + "ln_1.bias", _BLOCK + "layernorm1.beta"),
        Split(_HF + "attn.c_attn.weight", tuple(part + "weight" for part in _QKV)),
        Split(_HF + "attn.c_attn.bias", tuple(part + "bias" for part in _QKV)),
        Transpose(_HF + "attn.c_proj.weight", _BLOCK + "attention.projection.weight"),
        Rename(_HF + "attn.c_proj.bias", _BLOCK + "attention.projection.bias"),
        Rename(_HF + "ln_2.weight", _BLOCK + "layernorm2.gamma"),
        Rename(_HF + "ln_2.bias", _BLOCK + "layernorm2.beta"),
        Transpose(_HF + "mlp.c_fc.weight", _BLOCK + "output.mapping.weight"),
        Rename(_HF + "mlp.c_fc.bias", _BLOCK + "output.mapping.bias"),
        Transpose(_HF + "mlp.c_proj.weight", _BLOCK + "output.projection.weight"),
        Rename(_HF + "mlp.c_proj.bias", _BLOCK + "output.projection.bias"),
        Rename("transformer.ln_f.weight", "backbone.layernorm.gamma"),
        Rename("transformer.ln_f.bias", "backbone.layernorm.beta"),
        Rename("lm_head.weight", "head.head_weight"),
    ),
    # Old exports store the causal mask and its fill value.
    buffers=("transformer.h.{}.attn.bias", "transformer.h.{}.attn.masked_bias"),
    tied=("transformer.wte.weight", "lm_head.weight"),
    tied_mindspore=("backbone.embedding.word_embedding.embedding_table", "head.head_weight"),
)

SCALES = ("gamma",)
"""Endings of the names of the norms' factors."""

TO_RESIDUAL = ("projection.weight",)
"""Endings of the names of the matrices that add to the residual stream."""
