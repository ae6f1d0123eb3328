from __future__ import annotations

from typing import Any

import pytest

from modelcore.errors import MindrailError
from modelcore.models.gpt_bigcode.config import GPTBigCodeConfig

WIZARD_CODER_15B = {
    "activation_function": "gelu",
    "architectures": ["GPTBigCodeForCausalLM"],
    "attention_softmax_in_fp32": True,
    "attn_pdrop": 0.1,
    "bos_token_id": 0,
    "embd_pdrop": 0.1,
    "eos_token_id": 0,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt_bigcode",
    "multi_query": True,
    "n_embd": 6144,
    "n_head": 48,
    "n_inner": 24576,
    "n_layer": 40,
    "n_positions": 8192,
    "scale_attn_weights": True,
    "torch_dtype": "float16",
    "vocab_size": 49153,
}


def read(**changes: Any) -> GPTBigCodeConfig:
    return GPTBigCodeConfig.from_hf(WIZARD_CODER_15B | changes, "config.json")


def test_the_numbers_and_shapes_of_wizard_coder_15b() -> None:
    config = read()
    assert (config.head_dim, config.num_kv_heads, config.max_positions) == (128, 1, 8192)
    assert (config.tie_embeddings, config.eos_id, config.pad_id) == (True, 0, None)
    shapes = config.parameter_shapes()
    assert len(shapes) == 40 * 16 + 4
    assert shapes["backbone.blocks.39.attention.dense2.weight"] == (128, 6144)
    assert shapes["backbone.blocks.0.output.mapping.weight"] == (6144, 24576)
    elements = sum(shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in shapes.values())
    assert elements == 15_517_462_528


def test_an_untied_head_is_a_parameter() -> None:
    assert read(tie_word_embeddings=False).parameter_shapes()["head.head_weight"] == (49153, 6144)


@pytest.mark.parametrize(
    ("name", "tanh"), [("gelu_pytorch_tanh", True), ("gelu_new", True), ("gelu_fast", True), ("gelu", False)]
)
def test_both_forms_of_gelu_are_distinguished(name: str, tanh: bool) -> None:
    assert read(activation_function=name).gelu_tanh is tanh


def test_what_is_absent_has_the_default_of_transformers() -> None:
    few = {"vocab_size": 9, "n_embd": 8, "n_head": 2, "n_layer": 1, "n_positions": 4}
    config = GPTBigCodeConfig.from_hf(few, "")
    assert (config.intermediate_size, config.norm_eps, config.gelu_tanh) == (32, 1e-5, True)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"activation_function": "relu"}, "activation_function is 'relu': not implemented, only"),
        ({"multi_query": False}, "multi_query is False"),
        ({"scale_attn_weights": False}, "scale_attn_weights is False"),
        ({"add_cross_attention": True}, "add_cross_attention is True"),
        ({"n_head": 47}, "n_embd 6144 is not a multiple of n_head 47"),
        ({"n_positions": None}, "n_positions is None, not a positive integer"),
        ({"quantization_config": {}}, "quantization_config is {}"),
    ],
)
def test_what_is_not_implemented_or_wrong_is_refused_by_key(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(MindrailError) as refused:
        read(**changes)
    assert str(refused.value).startswith(f"config.json: {line}")
