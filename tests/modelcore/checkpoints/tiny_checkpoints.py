"""Tiny checkpoints in Hugging Face's layout, with transformers' own random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GPTBigCodeConfig,
    GPTBigCodeForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from tests.families import small


def tiny_llama(
    *, dtype: torch.dtype = torch.bfloat16, tied: bool = False, layers: int = 3
) -> PreTrainedModel:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=96,
        hidden_size=64,
        intermediate_size=112,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
    )
    return LlamaForCausalLM(config).to(dtype).eval()


def tiny_gpt_bigcode(*, dtype: torch.dtype = torch.float16) -> PreTrainedModel:
    torch.manual_seed(2)
    config = GPTBigCodeConfig(
        vocab_size=97, n_embd=64, n_layer=2, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=0
    )
    return GPTBigCodeForCausalLM(config).to(dtype).eval()


def tiny_model(family: str, *, dtype: torch.dtype = torch.bfloat16) -> PreTrainedModel:
    """Return a model of any family, of more than 100 kB."""
    torch.manual_seed(3)
    config = AutoConfig.for_model(**small(family, layers=8))
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=dtype)
    return model.eval()


def save_hf(model: PreTrainedModel, directory: Path, *, shard: str = "5GB") -> Path:
    """Save as safetensors, in shards of at most `shard`."""
    model.save_pretrained(directory, max_shard_size=shard)
    return directory


def save_bin(model: PreTrainedModel, directory: Path) -> Path:
    """Save as pytorch_model.bin, tied tensors in it twice, as old releases of transformers did."""
    directory.mkdir(parents=True)
    model.config.save_pretrained(directory)
    torch.save(dict(model.state_dict()), directory / "pytorch_model.bin")
    return directory
