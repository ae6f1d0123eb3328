"""The numbers of a llama model, read from its Hugging Face config.json, and the parameters they imply.

Covers what CodeLlama, WizardCoder-Python and DeepSeek-Coder use: RMSNorm, SiLU-gated feed-forward,
grouped-query attention, rotary positions with a base and a linear scaling. Any other feature is refused
by its key. No MindSpore here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

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

__all__ = ["LlamaConfig"]

Config = TypeVar("Config", bound="LlamaConfig")


@dataclass(frozen=True, kw_only=True)
class LlamaConfig(ModelConfig):
    """A llama model's sizes and constants.

    Attributes:
        rope_theta: base of the rotary angles.
        rope_scaling: divides the positions (1.0: none).
    """

    rope_theta: float = 10000.0
    rope_scaling: float = 1.0

    @classmethod
    def from_hf(cls: type[Config], raw: Mapping[str, Any], where: object) -> Config:
        """Read config.json in the spelling of transformers 4 or 5.

        Args:
            raw: the parsed config.json.
            where: its path, for errors.

        Raises:
            MindrailError: a field is missing, of the wrong type or not implemented here.
        """
        cls.refuse_features(raw, where)
        heads = integer(raw, "num_attention_heads", where)
        theta, scaling = _rope(raw, where)
        config = cls(
            vocab_size=integer(raw, "vocab_size", where),
            hidden_size=integer(raw, "hidden_size", where),
            intermediate_size=integer(raw, "intermediate_size", where),
            num_layers=integer(raw, "num_hidden_layers", where),
            num_heads=heads,
            num_kv_heads=optional_integer(raw, "num_key_value_heads", heads, where),
            max_positions=optional_integer(raw, "max_position_embeddings", 2048, where),
            norm_eps=positive_number(raw, "rms_norm_eps", 1e-6, where),
            rope_theta=theta,
            rope_scaling=scaling,
            tie_embeddings=flag(raw, "tie_word_embeddings", False, where),
            bos_id=token_id(raw, "bos_token_id", where),
            eos_id=token_id(raw, "eos_token_id", where),
            pad_id=token_id(raw, "pad_token_id", where),
            dtype=dtype_field(raw, where),
        )
        _check_heads(config, raw, where)
        return config

    @staticmethod
    def refuse_features(raw: Mapping[str, Any], where: object) -> None:
        """Raise MindrailError, naming the key, for what the family may have and is not implemented here."""
        refuse_other(raw, "model_type", ("llama",), "llama", where)
        refuse_other(raw, "hidden_act", ("silu",), "silu", where)
        for bias in ("attention_bias", "mlp_bias"):
            refuse_other(raw, bias, (False,), False, where)
        refuse_other(raw, "quantization_config", (None,), None, where)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return every parameter's shape; see `ModelConfig`."""
        shapes: dict[str, tuple[int, ...]] = {
            "model.tok_embeddings.embedding_weight": (self.vocab_size, self.hidden_size)
        }
        for layer in range(self.num_layers):
            prefix = f"model.layers.{layer}."
            shapes.update({prefix + name: shape for name, shape in self.layer_shapes().items()})
        shapes["model.norm_out.weight"] = (self.hidden_size,)
        if not self.tie_embeddings:
            shapes["lm_head.weight"] = (self.vocab_size, self.hidden_size)
        return shapes

    @property
    def lookup_elements(self) -> int:
        """The embedding's elements, unless it is the head, too."""
        return 0 if self.tie_embeddings else self.vocab_size * self.hidden_size

    def layer_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter of one layer, in network order."""
        hidden, inner, kv = self.hidden_size, self.intermediate_size, self.num_kv_heads * self.head_dim
        return {
            "attention_norm.weight": (hidden,),
            "attention.wq.weight": (hidden, hidden),
            "attention.wk.weight": (kv, hidden),
            "attention.wv.weight": (kv, hidden),
            "attention.wo.weight": (hidden, hidden),
            "ffn_norm.weight": (hidden,),
            "feed_forward.w1.weight": (inner, hidden),
            "feed_forward.w2.weight": (hidden, inner),
            "feed_forward.w3.weight": (inner, hidden),
        }


def _check_heads(config: LlamaConfig, raw: Mapping[str, Any], where: object) -> None:
    if config.hidden_size % config.num_heads or config.head_dim % 2:
        raise MindrailError(
            f"hidden_size {config.hidden_size} is not {config.num_heads} attention heads of an even size",
            where=where,
        )
    if config.num_heads % config.num_kv_heads:
        raise MindrailError(
            f"{config.num_heads} attention heads are not a multiple of {config.num_kv_heads} key/value heads",
            where=where,
        )
    refuse_other(raw, "head_dim", (config.head_dim, None), None, where)


def _rope(raw: Mapping[str, Any], where: object) -> tuple[float, float]:
    """Return (theta, linear scaling): rope_parameters in transformers 5, rope_theta, rope_scaling in 4."""
    key = "rope_parameters" if raw.get("rope_parameters") is not None else "rope_scaling"
    rope = raw.get(key) or {}
    if not isinstance(rope, Mapping):
        raise MindrailError(f"{key} is {rope!r}, not an object", where=where)
    place = f"{where}: {key}"
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "linear"):
        raise MindrailError(f"type is {kind!r}: not implemented, only 'default' or 'linear'", where=place)
    refuse_other(rope, "partial_rotary_factor", (1, None), None, place)
    refuse_other(raw, "partial_rotary_factor", (1, None), None, where)
    theta = positive_number(rope, "rope_theta", positive_number(raw, "rope_theta", 10000.0, where), place)
    if kind == "default":
        return theta, 1.0
    if "factor" not in rope:
        raise MindrailError("linear scaling has no factor", where=place)
    return theta, positive_number(rope, "factor", 1.0, place)
