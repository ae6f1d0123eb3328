"""A small config.json of every family, for the tests that hold for all of them.

A new family is an entry in `SMALL`. What only some families can vary (grouped queries, scaled positions) is
in `tests/modelcore/models/tiny.py`.
"""

from __future__ import annotations

from typing import Any

from modelcore.models.families import FAMILIES
from modelcore.models.model import Model

Config = dict[str, Any]

SMALL: dict[str, Config] = {
    "llama": {
        "model_type": "llama",
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
    "gpt_bigcode": {
        "model_type": "gpt_bigcode",
        "vocab_size": 64,
        "n_embd": 32,
        "n_inner": 64,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 32,
        "activation_function": "gelu_pytorch_tanh",
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
    },
    "qwen2": {
        "model_type": "qwen2",
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "bos_token_id": 1,
        "eos_token_id": 1,
    },
}
"""By model_type: a config.json of 2 layers and 4 heads."""

NAMES = tuple(SMALL)

_KEYS = {
    "vocab": ("vocab_size",),
    "layers": ("num_hidden_layers", "n_layer"),
    "heads": ("num_attention_heads", "n_head"),
    "positions": ("max_position_embeddings", "n_positions"),
    "tied": ("tie_word_embeddings",),
}


def small(family: str, **changes: object) -> Config:
    """Return a family's small config.json with other `vocab`, `layers`, `heads`, `positions` or `tied`.

    Key and value heads stay half as many as heads, where their number is free.
    """
    raw = dict(SMALL[family])
    for change, value in changes.items():
        (key,) = (key for key in _KEYS[change] if key in raw)
        raw[key] = value
    if "num_key_value_heads" in raw:
        raw["num_key_value_heads"] = raw["num_attention_heads"] // 2
    return raw


def small_model(family: str, **changes: object) -> Model:
    """Return the model of a family's small config.json; changes as of `small`."""
    return Model(FAMILIES[family], FAMILIES[family].read_config(small(family, **changes), family))
