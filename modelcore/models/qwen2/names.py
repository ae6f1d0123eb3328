"""The names of Qwen2's tensors at Hugging Face and in MindFormers: llama's, and those of the biases.

MindFormers 1.3 to 1.5 run Qwen2 and Qwen2.5 on their llama network with `qkv_has_bias`; the biases' names are
those of research/qwen2/convert_weight.py and research/qwen2_5/convert_reversed.py there. Their converted
files hold the head of a tied model, too; here it is compared with the embedding and left out.
"""

from __future__ import annotations

from dataclasses import replace

from modelcore.models.llama.names import NAMES as LLAMA_NAMES
from modelcore.models.llama.names import SCALES, TO_RESIDUAL
from modelcore.weights.name_table import Rename

__all__ = ["NAMES", "SCALES", "TO_RESIDUAL"]

NAMES = replace(
    LLAMA_NAMES,
    rows=(
        *LLAMA_NAMES.rows,
        Rename("model.layers.{}.self_attn.q_proj.bias", "model.layers.{}.attention.wq.bias"),
        Rename("model.layers.{}.self_attn.k_proj.bias", "model.layers.{}.attention.wk.bias"),
        Rename("model.layers.{}.self_attn.v_proj.bias", "model.layers.{}.attention.wv.bias"),
    ),
)
