"""The numbers of a Qwen2 model, read from its Hugging Face config.json, and the parameters they imply.

Covers what Qwen2.5-Coder uses: llama's layers with a bias on queries, keys and values, tied embeddings in the
small sizes, attention over the whole context. Any other feature is refused by its key. No MindSpore here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelcore.errors import MindrailError
from modelcore.models.hf_fields import integer, refuse_other
from modelcore.models.llama.config import LlamaConfig

__all__ = ["Qwen2Config"]


@dataclass(frozen=True, kw_only=True)
class Qwen2Config(LlamaConfig):
    """A Qwen2 model's sizes and constants."""

    @staticmethod
    def refuse_features(raw: Mapping[str, Any], where: object) -> None:
        """Raise MindrailError, naming the key, for what the family may have and is not implemented here."""
        refuse_other(raw, "model_type", ("qwen2",), "qwen2", where)
        refuse_other(raw, "hidden_act", ("silu",), "silu", where)
        for feature in ("use_sliding_window", "use_mrope"):
            refuse_other(raw, feature, (False,), False, where)
        refuse_other(raw, "quantization_config", (None,), None, where)
        _refuse_windows(raw, where)
        # Where these are missing, transformers takes the numbers of one particular model.
        for key in ("num_key_value_heads", "max_position_embeddings"):
            integer(raw, key, where)

    def layer_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter of one layer, in network order."""
        shapes: dict[str, tuple[int, ...]] = {}
        for name, shape in super().layer_shapes().items():
            shapes[name] = shape
            if name in ("attention.wq.weight", "attention.wk.weight", "attention.wv.weight"):
                shapes[name.replace("weight", "bias")] = shape[:1]
        return shapes


def _refuse_windows(raw: Mapping[str, Any], where: object) -> None:
    """Refuse a layer whose attention is not over the whole context (transformers 5 lists every layer)."""
    kinds = raw.get("layer_types") or []
    if not isinstance(kinds, list):
        raise MindrailError(f"layer_types is {kinds!r}, not a list", where=where)
    for layer, kind in enumerate(kinds):
        if kind != "full_attention":
            raise MindrailError(
                f"layer_types has {kind!r} for layer {layer}: not implemented, only 'full_attention'",
                where=where,
            )
