"""The numbers of a GPTBigCode model (StarCoder, WizardCoder-15B), read from its config.json.

Covers multi-query attention, learned positions, LayerNorm and gelu. Any other feature is refused by its key.
The dropouts of config.json are not used: nothing here drops anything. No MindSpore here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelcore.errors import MindrailError
from modelcore.models.config import ModelConfig
from modelcore.models.hf_fields import (
    dtype_field,
    flag,
    integer,
    optional_integer,
    positive_number,
    refuse_other,
    token_id,
)

__all__ = ["GPTBigCodeConfig"]

# transformers' names of one and the same function: 0.5x(1 + tanh(sqrt(2/pi)(x + 0.044715x^3))).
_TANH_GELU = ("gelu_pytorch_tanh", "gelu_new", "gelu_fast")


@dataclass(frozen=True, kw_only=True)
class GPTBigCodeConfig(ModelConfig):
    """A GPTBigCode model's sizes and constants; its one key and value head serves every query head.

    Attributes:
        gelu_tanh: whether gelu is its tanh form; False is the exact one.
    """

    gelu_tanh: bool = True

    @classmethod
    def from_hf(cls, raw: Mapping[str, Any], where: object) -> GPTBigCodeConfig:
        """Read config.json.

        Args:
            raw: the parsed config.json.
            where: its path, for errors.

        Raises:
            MindrailError: a field is missing, of the wrong type or not implemented here.
        """
        _refuse_features(raw, where)
        hidden, heads = integer(raw, "n_embd", where), integer(raw, "n_head", where)
        if hidden % heads:
            raise MindrailError(f"n_embd {hidden} is not a multiple of n_head {heads}", where=where)
        return cls(
            vocab_size=integer(raw, "vocab_size", where),
            hidden_size=hidden,
            intermediate_size=optional_integer(raw, "n_inner", 4 * hidden, where),
            num_layers=integer(raw, "n_layer", where),
            num_heads=heads,
            num_kv_heads=1,
            max_positions=integer(raw, "n_positions", where),
            norm_eps=positive_number(raw, "layer_norm_epsilon", 1e-5, where),
            gelu_tanh=raw.get("activation_function", "gelu_pytorch_tanh") in _TANH_GELU,
            tie_embeddings=flag(raw, "tie_word_embeddings", True, where),
            bos_id=token_id(raw, "bos_token_id", where),
            eos_id=token_id(raw, "eos_token_id", where),
            pad_id=token_id(raw, "pad_token_id", where),
            dtype=dtype_field(raw, where),
        )

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return every parameter's shape; see `ModelConfig`."""
        shapes: dict[str, tuple[int, ...]] = {
            "backbone.embedding.word_embedding.embedding_table": (self.vocab_size, self.hidden_size),
            "backbone.embedding.position_embedding.embedding_table": (self.max_positions, self.hidden_size),
        }
        for layer in range(self.num_layers):
            prefix = f"backbone.blocks.{layer}."
            shapes.update({prefix + name: shape for name, shape in self._block_shapes().items()})
        shapes["backbone.layernorm.gamma"] = (self.hidden_size,)
        shapes["backbone.layernorm.beta"] = (self.hidden_size,)
        if not self.tie_embeddings:
            shapes["head.head_weight"] = (self.vocab_size, self.hidden_size)
        return shapes

    @property
    def lookup_elements(self) -> int:
        """Elements of the positions' table and, unless it is the head, too, of the embedding."""
        rows = self.max_positions + (0 if self.tie_embeddings else self.vocab_size)
        return rows * self.hidden_size

    def _block_shapes(self) -> dict[str, tuple[int, ...]]:
        hidden, inner, head = self.hidden_size, self.intermediate_size, self.head_dim
        return {
            "layernorm1.gamma": (hidden,),
            "layernorm1.beta": (hidden,),
            "attention.dense1.weight": (hidden, hidden),
            "attention.dense1.bias": (hidden,),
            "attention.dense2.weight": (head, hidden),
            "attention.dense2.bias": (head,),
            "attention.dense3.weight": (head, hidden),
            "attention.dense3.bias": (head,),
            "attention.projection.weight": (hidden, hidden),
            "attention.projection.bias": (hidden,),
            "layernorm2.gamma": (hidden,),
            "layernorm2.beta": (hidden,),
            "output.mapping.weight": (hidden, inner),
            "output.mapping.bias": (inner,),
            "output.projection.weight": (inner, hidden),
            "output.projection.bias": (hidden,),
        }


def _refuse_features(raw: Mapping[str, Any], where: object) -> None:
    refuse_other(raw, "model_type", ("gpt_bigcode",), "gpt_bigcode", where)
    refuse_other(raw, "activation_function", (*_TANH_GELU, "gelu"), "gelu_pytorch_tanh", where)
    refuse_other(raw, "multi_query", (True,), True, where)
    refuse_other(raw, "scale_attn_weights", (True,), True, where)
    refuse_other(raw, "add_cross_attention", (False,), False, where)
    refuse_other(raw, "quantization_config", (None,), None, where)
