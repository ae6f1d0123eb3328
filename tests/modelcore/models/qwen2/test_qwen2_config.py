from __future__ import annotations

import math
from typing import Any

import pytest
import transformers

from modelcore.errors import MindrailError
from modelcore.models.qwen2.config import Qwen2Config

# As Qwen2.5-Coder-3B's config.json has it, in the spelling of transformers 4.
CODER_3B = {
    "architectures": ["Qwen2ForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151643,
    "hidden_act": "silu",
    "hidden_size": 2048,
    "initializer_range": 0.02,
    "intermediate_size": 11008,
    "max_position_embeddings": 32768,
    "max_window_layers": 36,
    "model_type": "qwen2",
    "num_attention_heads": 16,
    "num_hidden_layers": 36,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 32768,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "use_mrope": False,
    "use_sliding_window": False,
    "vocab_size": 151936,
}


def read(**changes: Any) -> Qwen2Config:
    return Qwen2Config.from_hf(CODER_3B | changes, "config.json")


def test_the_numbers_of_qwen_coder_3b() -> None:
    config = read()
    assert (config.hidden_size, config.num_layers, config.num_kv_heads, config.head_dim) == (2048, 36, 2, 128)
    assert (config.rope_theta, config.norm_eps, config.tie_embeddings) == (1e6, 1e-6, True)
    assert (config.bos_id, config.eos_id, config.pad_id, config.max_positions) == (
        151643,
        151643,
        None,
        32768,
    )


def test_transformers_5_writes_the_same_in_its_own_spelling() -> None:
    written = transformers.Qwen2Config(**CODER_3B).to_dict()
    assert written["layer_types"] == ["full_attention"] * 36
    assert Qwen2Config.from_hf(written, "") == read()


def test_queries_keys_and_values_have_a_bias_after_their_weight() -> None:
    shapes = read().parameter_shapes()
    assert len(shapes) == 36 * 12 + 2
    assert list(shapes)[2:8] == [
        f"model.layers.0.attention.{kind}"
        for way in ("wq", "wk", "wv")
        for kind in (f"{way}.weight", f"{way}.bias")
    ]
    assert shapes["model.layers.35.attention.wq.bias"] == (2048,)
    assert shapes["model.layers.35.attention.wk.bias"] == shapes["model.layers.0.attention.wv.bias"] == (256,)
    assert sum(map(math.prod, shapes.values())) == 3_085_938_688


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"use_sliding_window": True}, "use_sliding_window is True: not implemented, only False"),
        ({"use_mrope": True}, "use_mrope is True"),
        (
            {"layer_types": ["full_attention", "sliding_attention"]},
            "layer_types has 'sliding_attention' for layer 1: not implemented, only 'full_attention'",
        ),
        ({"layer_types": "full_attention"}, "layer_types is 'full_attention', not a list"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_scaling: type is 'yarn'"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"quantization_config": {"bits": 4}}, "quantization_config is"),
        ({"model_type": "qwen2_moe"}, "model_type is 'qwen2_moe'"),
        ({"num_attention_heads": 15}, "hidden_size 2048 is not 15 attention heads"),
    ],
)
def test_what_is_not_implemented_or_wrong_is_refused_by_key(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(MindrailError) as refused:
        read(**changes)
    assert line in str(refused.value)
    assert str(refused.value).startswith("config.json: ")


@pytest.mark.parametrize("key", ["num_key_value_heads", "max_position_embeddings", "hidden_size"])
def test_a_number_that_transformers_would_make_up_is_asked_for(key: str) -> None:
    raw = {name: value for name, value in CODER_3B.items() if name != key}
    with pytest.raises(MindrailError, match=f"config.json: has no {key}"):
        Qwen2Config.from_hf(raw, "config.json")
