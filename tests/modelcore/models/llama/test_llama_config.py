from __future__ import annotations

from typing import Any

import pytest
import transformers

from modelcore.errors import MindrailError
from modelcore.models.llama.config import LlamaConfig

# As CodeLlama-34B's config.json has it, in the spelling of transformers 4.
CODE_LLAMA_34B = {
    "architectures": ["LlamaForCausalLM"],
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 8192,
    "initializer_range": 0.02,
    "intermediate_size": 22016,
    "max_position_embeddings": 16384,
    "model_type": "llama",
    "num_attention_heads": 64,
    "num_hidden_layers": 48,
    "num_key_value_heads": 8,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "vocab_size": 32000,
}
LINEAR = {"type": "linear", "factor": 4.0}


def read(**changes: Any) -> LlamaConfig:
    return LlamaConfig.from_hf(CODE_LLAMA_34B | changes, "config.json")


def test_the_numbers_of_code_llama_34b() -> None:
    config = read()
    assert (config.hidden_size, config.num_layers, config.num_kv_heads, config.head_dim) == (8192, 48, 8, 128)
    assert (config.rope_theta, config.rope_scaling, config.norm_eps) == (1e6, 1.0, 1e-5)
    assert (config.bos_id, config.eos_id, config.pad_id, config.dtype) == (1, 2, None, "bfloat16")


def test_both_spellings_of_transformers_say_the_same() -> None:
    parameters = {"rope_type": "linear", "rope_theta": 100000.0, "factor": 4.0}
    new = {
        key: value
        for key, value in CODE_LLAMA_34B.items()
        if key not in ("rope_theta", "rope_scaling", "torch_dtype")
    }
    new |= {"rope_parameters": parameters, "dtype": "bfloat16"}
    assert LlamaConfig.from_hf(new, "") == read(rope_theta=100000.0, rope_scaling=LINEAR)
    written = transformers.LlamaConfig(**new).to_dict()
    assert LlamaConfig.from_hf(written, "") == LlamaConfig.from_hf(new, "")


def test_shapes_of_code_llama_34b_add_up_to_its_parameters() -> None:
    shapes = read().parameter_shapes()
    assert len(shapes) == 48 * 9 + 3
    assert shapes["model.layers.47.attention.wk.weight"] == (1024, 8192)
    assert shapes["model.layers.0.feed_forward.w2.weight"] == (8192, 22016)
    elements = sum(shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in shapes.values())
    assert elements == 33_743_970_304


def test_a_tied_head_is_no_parameter() -> None:
    assert "lm_head.weight" not in read(tie_word_embeddings=True).parameter_shapes()


def test_what_is_absent_has_the_default_of_transformers() -> None:
    few = {key: CODE_LLAMA_34B[key] for key in ("vocab_size", "hidden_size", "intermediate_size")}
    few |= {"num_hidden_layers": 2, "num_attention_heads": 64}
    config = LlamaConfig.from_hf(few, "")
    assert (config.num_kv_heads, config.norm_eps, config.rope_theta, config.dtype) == (
        64,
        1e-6,
        1e4,
        "float32",
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu': not implemented, only 'silu'"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"mlp_bias": True}, "mlp_bias is True"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "rope_scaling: type is 'llama3'"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_scaling: type is 'dynamic'"),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling: linear scaling has no factor"),
        ({"rope_scaling": {"type": "linear", "factor": 0}}, "factor is 0, not a positive number"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope_parameters: type is 'yarn'"),
        ({"rope_scaling": "linear"}, "rope_scaling is 'linear', not an object"),
        ({"quantization_config": {"bits": 4}}, "quantization_config is"),
        ({"head_dim": 64}, "head_dim is 64: not implemented, only"),
        ({"model_type": "mistral"}, "model_type is 'mistral'"),
        ({"num_attention_heads": 63}, "hidden_size 8192 is not 63 attention heads"),
        ({"num_key_value_heads": 7}, "64 attention heads are not a multiple of 7"),
        ({"vocab_size": "32000"}, "vocab_size is '32000', not a positive integer"),
        ({"vocab_size": True}, "vocab_size is True"),
        ({"eos_token_id": [1, 2]}, "eos_token_id is [1, 2], not one token id"),
        ({"rms_norm_eps": float("nan")}, "rms_norm_eps is nan"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings is 'yes', not true or false"),
        ({"torch_dtype": "int8"}, "torch_dtype is 'int8'"),
    ],
)
def test_what_is_not_implemented_or_wrong_is_refused_by_key(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(MindrailError) as refused:
        read(**changes)
    assert line in str(refused.value)
    assert str(refused.value).startswith("config.json: ")


def test_a_missing_number_is_refused_by_key() -> None:
    raw = {key: value for key, value in CODE_LLAMA_34B.items() if key != "hidden_size"}
    with pytest.raises(MindrailError, match="config.json: has no hidden_size"):
        LlamaConfig.from_hf(raw, "config.json")
