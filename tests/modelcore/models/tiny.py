"""Tiny models of transformers with random weights, and their conversion to ours."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.weights.checkpoint import open_checkpoint
from modelcore.weights.tensors import read

VOCABULARY = 151


def llama(*, deviation: float = 0.1, **changes: Any) -> transformers.LlamaForCausalLM:
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 6,
        "max_position_embeddings": 192,
        "tie_word_embeddings": False,
    }
    return _random(transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**sizes, **changes})), deviation)


def gpt_bigcode(*, deviation: float = 0.1, **changes: Any) -> transformers.GPTBigCodeForCausalLM:
    sizes = {
        "vocab_size": VOCABULARY,
        "n_embd": 48,
        "n_inner": 112,
        "n_layer": 2,
        "n_head": 6,
        "n_positions": 192,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    return _random(
        transformers.GPTBigCodeForCausalLM(transformers.GPTBigCodeConfig(**{**sizes, **changes})), deviation
    )


VARIANTS: dict[str, Callable[[], transformers.PreTrainedModel]] = {
    "llama, multi-head": llama,
    "llama, grouped-query, theta 1e6": lambda: llama(
        num_key_value_heads=2, rope_parameters={"rope_type": "default", "rope_theta": 1e6}
    ),
    "llama, grouped-query, linear scaling": lambda: llama(
        num_key_value_heads=2, rope_parameters={"rope_type": "linear", "rope_theta": 1e5, "factor": 4.0}
    ),
    "llama, linear scaling, tied": lambda: llama(
        rope_parameters={"rope_type": "linear", "rope_theta": 1e5, "factor": 4.0}, tie_word_embeddings=True
    ),
    "gpt_bigcode": gpt_bigcode,
    "gpt_bigcode, exact gelu, untied": lambda: gpt_bigcode(
        activation_function="gelu", tie_word_embeddings=False
    ),
}


def convert(model: transformers.PreTrainedModel, directory: Path) -> Path:
    """Save the model in Hugging Face's form and convert it; return the MindSpore directory."""
    model.save_pretrained(directory / "hf")
    convert_checkpoint(directory / "hf", directory / "mindspore", to="mindspore")
    return directory / "mindspore"


def gradients(model: transformers.PreTrainedModel, directory: Path) -> dict[str, np.ndarray]:
    """Return the model's gradients under our names, converted as if they were weights."""
    copied = copy.deepcopy(model)
    for parameter, of in zip(copied.parameters(), model.parameters(), strict=True):
        parameter.data = of.grad
    tensors = open_checkpoint(convert(copied, directory)).tensors
    return {name: read(tensor) for name, tensor in tensors.items()}


def _random(model: transformers.PreTrainedModel, deviation: float) -> transformers.PreTrainedModel:
    """Give every parameter, biases and norms too, values that matter."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn(parameter.shape, generator=generator) * deviation
    return model.eval()
